/* SPDX-License-Identifier: BSD-3-Clause */
/* One request, one answer; attributes are walked with the kernel's own bounds-checking macros. */
#include "rtnl.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"

struct request {
	struct nlmsghdr header;
	union {
		struct ifinfomsg link;
		struct rtgenmsg nsid;
	};
	uint8_t attributes[64];
};

union answer {
	struct nlmsghdr header;
	uint8_t bytes[16384];
};

/* Sends the request and receives the first message of the answer; 0 or a negative errno. */
static int
rtnl_ask(struct request *request, union answer *answer)
{
	const struct timeval timeout = {.tv_sec = 1};
	const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	ssize_t length;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	request->header.nlmsg_flags = NLM_F_REQUEST;
	length = send(fd, request, request->header.nlmsg_len, 0);
	if (length >= 0)
		length = recv(fd, answer, sizeof(*answer), 0);
	const int error = length < 0 ? -errno : 0;
	close(fd);

	if (error != 0)
		return error;
	if (!NLMSG_OK(&answer->header, (unsigned)length))
		return -EPROTO;
	if (answer->header.nlmsg_type == NLMSG_ERROR)
		return ((const struct nlmsgerr *)NLMSG_DATA(&answer->header))->error;
	return 0;
}

static void
request_attach(struct request *request, unsigned short type, const void *value, size_t size)
{
	struct rtattr *attribute = (struct rtattr *)((uint8_t *)request +
						     NLMSG_ALIGN(request->header.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = (unsigned short)RTA_LENGTH(size);
	memcpy(RTA_DATA(attribute), value, size);
	request->header.nlmsg_len =
			NLMSG_ALIGN(request->header.nlmsg_len) + (uint32_t)RTA_SPACE(size);
}

static int
attribute_int(const struct rtattr *attribute)
{
	int value = -1;

	if (RTA_PAYLOAD(attribute) >= sizeof(value))
		memcpy(&value, RTA_DATA(attribute), sizeof(value));
	return value;
}

/* Finds one attribute nested in another, or NULL. */
static const struct rtattr *
attribute_nested(const struct rtattr *outer, unsigned short type)
{
	const struct rtattr *inner = RTA_DATA(outer);
	int length = (int)RTA_PAYLOAD(outer);

	for (; RTA_OK(inner, length); inner = RTA_NEXT(inner, length))
		if ((inner->rta_type & NLA_TYPE_MASK) == type)
			return inner;
	return NULL;
}

static void
link_read(const struct rtattr *attribute, struct rtnl_link *link)
{
	const struct rtattr *inner;

	switch (attribute->rta_type & NLA_TYPE_MASK) {
	case IFLA_LINK:
		link->peer_index = attribute_int(attribute);
		break;
	case IFLA_LINK_NETNSID:
		link->peer_nsid = attribute_int(attribute);
		break;
	case IFLA_LINKINFO:
		inner = attribute_nested(attribute, IFLA_INFO_KIND);
		link->is_veth = inner != NULL && RTA_PAYLOAD(inner) >= sizeof("veth") - 1 &&
				memcmp(RTA_DATA(inner), "veth", sizeof("veth") - 1) == 0;
		break;
	case IFLA_XDP:
		inner = attribute_nested(attribute, IFLA_XDP_ATTACHED);
		link->xdp_is_generic = inner != NULL && RTA_PAYLOAD(inner) >= 1 &&
				       *(const uint8_t *)RTA_DATA(inner) == XDP_ATTACHED_SKB;
		break;
	default:
		break;
	}
}

int
rtnl_link_get(const char *interface, struct rtnl_link *link)
{
	struct request request = {
			.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(request.link)),
					.nlmsg_type = RTM_GETLINK},
			.link = {.ifi_family = AF_UNSPEC,
					.ifi_index = (int)if_nametoindex(interface)},
	};
	union answer answer = {0};
	int error;

	*link = (struct rtnl_link){.peer_nsid = -1};
	if (request.link.ifi_index == 0)
		return -ENODEV;
	error = rtnl_ask(&request, &answer);
	if (error != 0)
		return error;

	const struct rtattr *attribute = IFLA_RTA(NLMSG_DATA(&answer.header));
	int length = (int)IFLA_PAYLOAD(&answer.header);

	for (; RTA_OK(attribute, length); attribute = RTA_NEXT(attribute, length))
		link_read(attribute, link);
	return 0;
}

int
rtnl_nsid(int namespace_fd)
{
	struct request request = {
			.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(request.nsid)),
					.nlmsg_type = RTM_GETNSID},
			.nsid = {.rtgen_family = AF_UNSPEC},
	};
	union answer answer = {0};

	request_attach(&request, NETNSA_FD, &namespace_fd, sizeof(namespace_fd));
	if (rtnl_ask(&request, &answer) != 0)
		return -1;

	const struct rtattr *attribute =
			(const struct rtattr *)((const uint8_t *)NLMSG_DATA(&answer.header) +
						NLMSG_ALIGN(sizeof(struct rtgenmsg)));
	int length = (int)NLMSG_PAYLOAD(&answer.header, sizeof(struct rtgenmsg));

	for (; RTA_OK(attribute, length); attribute = RTA_NEXT(attribute, length))
		if (attribute->rta_type == NETNSA_NSID)
			return attribute_int(attribute);
	return -1;
}
