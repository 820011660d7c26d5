/* SPDX-License-Identifier: BSD-3-Clause */
/* The two ports of the configuration: cards that should be there, and interfaces that stay with the
 * kernel. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "machine_impl.h"

/* A key that repeats every 16 bits, of the very length that the driver takes. */
static void
rss_cure(struct machine *machine, const struct netdev *dev)
{
	const unsigned bytes = netdev_rss_key_size(dev);

	if (bytes < 2)
		findings_cure(&machine->findings,
				"its driver takes no key: one CPU in workers.cpus, or another "
				"card");
	else
		findings_cure(&machine->findings,
				"ethtool -X %s hkey $(printf '6d:5a:%%.0s' $(seq %u) | sed "
				"'s/:$//')",
				dev->name, bytes / 2);
}

/* What the kernel itself knows about an interface that stays with it. */
static void
interface_rss(struct machine *machine, const char *interface)
{
	struct netdev dev = {.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
	const unsigned workers = machine->config->worker_count;

	snprintf(dev.name, sizeof(dev.name), "%s", interface);
	if (dev.fd < 0)
		return;
	if (workers == 1) {
		findings_add(&machine->findings, FINDING_OK, "nics",
				"%s: one worker, so nothing has to be dealt", interface);
	} else if (netdev_rss_is_symmetric(&dev)) {
		findings_add(&machine->findings, FINDING_OK, "nics",
				"%s: %u receive queues, dealt by a symmetric RSS key", interface,
				netdev_rx_queues(&dev));
	} else {
		findings_add(&machine->findings, FINDING_NOTE, "nics",
				"%s: %u receive queues, and its RSS key is not symmetric: packets "
				"of "
				"one connection meet two workers, which hand them over in software",
				interface, netdev_rx_queues(&dev));
		rss_cure(machine, &dev);
	}
	close(dev.fd);
}

static void
card_look(struct machine *machine, const char *key, const char *address)
{
	for (unsigned i = 0; i < machine->nic_count; i++)
		if (strcmp(machine->nics[i].address, address) == 0)
			return; /* machine_nics() speaks of it */
	findings_add(&machine->findings, FINDING_PROBLEM, "nics",
			"%s: there is no network card at %s", key, address);
	findings_cure(&machine->findings, "dpdk-devbind.py --status-dev net shows those there are");
}

/* The state may come a second after the carrier that it follows (the kernel's linkwatch_event). */
static bool
has_carrier(const struct machine *machine, const char *interface)
{
	char carrier[4];

	return sysfs_line(machine->root, carrier, sizeof(carrier), "/sys/class/net/%s/carrier",
			       interface) &&
	       strcmp(carrier, "1") == 0;
}

static void
interface_look(struct machine *machine, const char *key, const char *interface)
{
	char state[16];

	if (!sysfs_line(machine->root, state, sizeof(state), "/sys/class/net/%s/operstate",
			    interface)) {
		findings_add(&machine->findings, FINDING_PROBLEM, "nics",
				"%s: there is no interface %s", key, interface);
		findings_cure(&machine->findings, "ip -br link shows those there are");
		return;
	}
	if ((strcmp(state, "down") == 0 || strcmp(state, "lowerlayerdown") == 0) &&
			!has_carrier(machine, interface)) {
		findings_add(&machine->findings, FINDING_PROBLEM, "nics",
				"%s: interface %s is down", key, interface);
		findings_cure(&machine->findings, "ip link set %s up; else look at its peer",
				interface);
	} else {
		findings_add(&machine->findings, FINDING_OK, "nics", "%s: interface %s is there",
				key, interface);
	}
	if (machine->is_real)
		interface_rss(machine, interface);
}

void
machine_ports(struct machine *machine)
{
	for (unsigned side = 0; machine->config != NULL && side < SIDE_COUNT; side++) {
		const struct device *device = &machine->devices[side];
		const char *key = side == SIDE_CLIENT ? "ports.client" : "ports.server";

		if (device->kind == DEVICE_PCI)
			card_look(machine, key, device->name);
		else if (device_is_kernel(device))
			interface_look(machine, key, device->interface);
	}
}
