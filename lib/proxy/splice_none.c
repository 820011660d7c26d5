/* SPDX-License-Identifier: BSD-3-Clause */
/* In splice_avx512.c's place on other machines. */
#include "proxy/splice_impl.h"

unsigned
splice_common_avx512(struct worker *w, const struct task *tasks, unsigned count, enum side from)
{
	(void)w;
	(void)tasks;
	(void)count;
	(void)from;
	return 0;
}
