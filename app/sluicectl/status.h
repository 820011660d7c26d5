/* SPDX-License-Identifier: BSD-3-Clause */
/* How sluicectl ends: an interface to scripts. */
#ifndef SLUICECTL_STATUS_H
#define SLUICECTL_STATUS_H

enum status {
	STATUS_OK,
	STATUS_REFUSED,	 /**< the appliance can't be reached, or said no */
	STATUS_USAGE,	 /**< wrong command line, or a wrong file given to check */
	STATUS_FINDINGS, /**< doctor found something */
};

#endif
