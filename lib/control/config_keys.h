/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keys of the configuration file as one table: where each may stand, its type, range and
 * default, and where its value is stored. The reader, the error messages and the check of the
 * documentation all go by it.
 */
#ifndef SLUICE_CONTROL_CONFIG_KEYS_H
#define SLUICE_CONTROL_CONFIG_KEYS_H

#include <stdio.h>

#include "control/config.h"

#define CONFIG_BACKENDS_MAX 65535  /**< slots are 16 bits and their count is kept in 16 bits too */
#define CONFIG_CPU_MAX 1023	   /**< what cpu_set_t holds */
#define CONFIG_ARGUMENTS_MAX 64	   /**< extra EAL arguments */
#define CONFIG_ARGUMENT_BYTES 1023 /**< of one of them */

/** The objects of the file, as bits: a backend takes the keys of queues as well as its own. */
enum config_scope {
	CONFIG_SCOPE_TOP = 1 << 0,
	CONFIG_SCOPE_PORTS = 1 << 1,
	CONFIG_SCOPE_PORT = 1 << 2,
	CONFIG_SCOPE_WORKERS = 1 << 3,
	CONFIG_SCOPE_CONTROL = 1 << 4,
	CONFIG_SCOPE_LIMITS = 1 << 5,
	CONFIG_SCOPE_KEYS = 1 << 6,
	CONFIG_SCOPE_QUEUES = 1 << 7,
	CONFIG_SCOPE_BACKEND = 1 << 8,
	CONFIG_SCOPE_TIMEOUTS = 1 << 9,
	CONFIG_SCOPE_PROBE = 1 << 10,
	CONFIG_SCOPE_EGRESS = 1 << 11,
	CONFIG_SCOPE_SOURCES = 1 << 12,
};

enum config_type {
	CONFIG_INTEGER,	  /**< stored as an unsigned integer of the member's size */
	CONFIG_CHOICE,	  /**< one of a few strings, stored as its place among them */
	CONFIG_STRING,	  /**< stored as char * */
	CONFIG_NAME,	  /**< stored in a char array */
	CONFIG_ADDRESS,	  /**< stored in a backend's address and family */
	CONFIG_HOST,	  /**< an address of the family min, stored as union ip_addr */
	CONFIG_PREFIXES,  /**< array of address prefixes, stored in a backend's exempt list */
	CONFIG_CPUS,	  /**< array of distinct CPU numbers */
	CONFIG_ARGUMENTS, /**< array of EAL arguments */
	CONFIG_OBJECT,	  /**< holds the keys of inside, stored from offset on */
	CONFIG_BACKENDS,  /**< array of objects that hold the keys of inside */
};

/** Stands for a default that another key decides: all ones in the member. */
#define CONFIG_ELSEWHERE (-1)

struct config_key {
	enum config_scope scope; /**< where it may stand */
	const char *name;
	enum config_type type;
	bool required;
	bool allows_zero; /**< integer: 0 besides min..max */
	bool is_live;	  /**< a reload changes it, and all that is inside; else a restart does */
	int64_t min;	  /**< integer: smallest; string: bytes; array: elements; host: enum
			       family */
	int64_t max;
	int64_t initial;	    /**< default of an integer or choice, or CONFIG_ELSEWHERE */
	const char *initial_text;   /**< default of a string, or NULL for none */
	const char *initial_note;   /**< default in words, where no value can say it */
	const char *const *choices; /**< ended by NULL */
	unsigned inside;	    /**< object: scopes (bits) of the keys in it */
	size_t offset;		    /**< in the struct that its scope is stored in */
	size_t size;		    /**< of the member there */
};

/** What is read into: the configuration, and the values of queues that backends start from. */
struct config_draft {
	struct config config;
	struct backend_config queues;
};

/** The table, count entries, in the order of reading: queues before the backends that inherit it.
 */
const struct config_key *config_keys(size_t *count);

/** The key of that name in one of the scopes (bits), or NULL. */
const struct config_key *config_keys_find(unsigned scopes, const char *name);

/** The key whose name is nearest to a mistyped one, or NULL when none is near. */
const struct config_key *config_keys_nearest(unsigned scopes, const char *name);

/** All names of the scopes, separated by ", ", into text of size bytes. */
void config_keys_names(unsigned scopes, char *text, size_t size);

/** What a key allows, for messages and documentation, into text of size bytes. */
void config_key_allowed(const struct config_key *key, char *text, size_t size);

/** Enough for either text. */
#define CONFIG_KEYS_TEXT_BYTES 512

/**
 * Lists every key, one per line: path, type, what is allowed, default, separated by tabs. A
 * default that is a value is written as JSON; "required" and words otherwise.
 */
void config_keys_print(FILE *out);

#endif
