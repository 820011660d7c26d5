/* SPDX-License-Identifier: BSD-3-Clause */
/* Prints the keys of the configuration file as the code has them, for check_config_docs.py. */
#include "control/config_keys.h"

int
main(void)
{
	config_keys_print(stdout);
	return fflush(stdout) == 0 ? 0 : 1;
}
