/* worker_confine.c - see worker.h. */
#include "ports/worker/worker.h"

#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void limit(int resource, unsigned most)
{
    struct rlimit now;

    if (getrlimit((__rlimit_resource_t)resource, &now) != 0 || now.rlim_max < most)
        return;
    now.rlim_cur = now.rlim_max = most;
    (void)setrlimit((__rlimit_resource_t)resource, &now);
}

/* ---- Landlock (Linux 5.13 and newer; landlock(7)) ----
 *
 * By number, as C libraries have no functions for it, and headers may be older than the kernel. The
 * three calls have the same numbers on every architecture that we build for. */
#define LANDLOCK_CREATE_RULESET 444
#define LANDLOCK_RESTRICT_SELF 446
#define LANDLOCK_VERSION 1u          /* flag: asks for the kernel's version instead */
#define LANDLOCK_FS 0x1fffu          /* version 1: open, execute, make, remove */
#define LANDLOCK_FS_REFER 0x2000u    /* 2: link and rename from one folder to another */
#define LANDLOCK_FS_TRUNCATE 0x4000u /* 3 */
#define LANDLOCK_FS_IOCTL 0x8000u    /* 5: of devices */
#define LANDLOCK_NET 3u              /* 4: bind and connect of TCP */
#define LANDLOCK_SCOPED 3u           /* 6: abstract Unix sockets, signals to others */

struct landlock_rules {
    uint64_t fs;
    uint64_t net;
    uint64_t scoped;
};

/* Everything that this kernel can forbid. */
static struct landlock_rules rules_of(long version)
{
    struct landlock_rules rules = {.fs = LANDLOCK_FS};

    if (version >= 2)
        rules.fs |= LANDLOCK_FS_REFER;
    if (version >= 3)
        rules.fs |= LANDLOCK_FS_TRUNCATE;
    if (version >= 4)
        rules.net = LANDLOCK_NET;
    if (version >= 5)
        rules.fs |= LANDLOCK_FS_IOCTL;
    if (version >= 6)
        rules.scoped = LANDLOCK_SCOPED;
    return rules;
}

/* A set of rules that allows nothing. It also keeps this process from looking into the memory of
 * any other, be it of the same user. Needs a descriptor for a moment, and no_new_privs. */
static void landlock(void)
{
    long version = syscall(LANDLOCK_CREATE_RULESET, NULL, 0, LANDLOCK_VERSION);
    struct landlock_rules rules = rules_of(version);
    long fd;

    if (version < 1)
        return;
    /* Kernels that know less of the structure take it while the rest is 0. */
    fd = syscall(LANDLOCK_CREATE_RULESET, &rules, sizeof rules, 0);
    if (fd < 0)
        return;
    (void)syscall(LANDLOCK_RESTRICT_SELF, (int)fd, 0);
    close((int)fd);
}

void worker_confine(unsigned descriptors)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};

    if (chdir("/") != 0)
        return; /* there is always a root */
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    landlock();
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NPROC, 0);
    limit(RLIMIT_NOFILE, descriptors); /* those that are open stay so */
    (void)syscall(SYS_capset, &header, none);
}
