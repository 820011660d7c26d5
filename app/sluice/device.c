/* SPDX-License-Identifier: BSD-3-Clause */
/* Only arguments that change what we must check are read; the driver refuses unknown ones. */
#include "device.h"

#include <stdlib.h>
#include <string.h>

static bool
is_pci_address(const char *text)
{
	const size_t digits = strspn(text, "0123456789abcdefABCDEF:.");

	return text[digits] == '\0' && strchr(text, ':') != NULL && strchr(text, '.') != NULL;
}

static enum device_kind
kind_of(const char *text)
{
	if (is_pci_address(text))
		return DEVICE_PCI;
	if (strncmp(text, "net_af_packet", strlen("net_af_packet")) == 0 ||
			strncmp(text, "eth_af_packet", strlen("eth_af_packet")) == 0)
		return DEVICE_AF_PACKET;
	if (strncmp(text, "net_af_xdp", strlen("net_af_xdp")) == 0)
		return DEVICE_AF_XDP;
	return DEVICE_VIRTUAL;
}

/* Copies length bytes of text; false when they do not fit. */
static bool
copy(char *out, size_t size, const char *text, size_t length)
{
	if (length >= size)
		return false;
	memcpy(out, text, length);
	out[length] = '\0';
	return true;
}

/* One "key=value" of length bytes. */
static bool
argument_read(struct device *device, const char *text, size_t length)
{
	const char *equals = memchr(text, '=', length);
	const size_t key = equals == NULL ? length : (size_t)(equals - text);

	if (equals == NULL)
		return true;
	if (device_is_kernel(device) && key == strlen("iface") && strncmp(text, "iface", key) == 0)
		return copy(device->interface, sizeof(device->interface), equals + 1,
				length - key - 1);
	if ((key == strlen("qpairs") && strncmp(text, "qpairs", key) == 0) ||
			(key == strlen("queue_count") && strncmp(text, "queue_count", key) == 0))
		device->queues = (unsigned)strtoul(equals + 1, NULL, 10);
	if (key == strlen("framesz") && strncmp(text, "framesz", key) == 0) {
		device->frame_size = (unsigned)strtoul(equals + 1, NULL, 10);
		device->has_slots = true;
	}
	if (key == strlen("blocksz") && strncmp(text, "blocksz", key) == 0)
		device->has_slots = true;
	return true;
}

bool
device_parse(const char *text, struct device *device)
{
	size_t length = strcspn(text, ",");

	*device = (struct device){.kind = kind_of(text),
			.queues = 1,
			.frame_size = DEVICE_FRAME_SIZE_DEFAULT};
	if (length == 0 || !copy(device->name, sizeof(device->name), text, length))
		return false;
	for (text += length; *text == ','; text += length) {
		text++;
		length = strcspn(text, ",");
		if (!argument_read(device, text, length))
			return false;
	}
	return !device_is_kernel(device) || device->interface[0] != '\0';
}
