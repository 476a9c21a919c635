/* worker_confine.c - see worker.h. */
#include "ports/worker/worker.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void give_up(int resource)
{
    struct rlimit none = {0, 0};

    (void)setrlimit((__rlimit_resource_t)resource, &none);
}

void worker_confine(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};

    if (chdir("/") != 0)
        return; /* there is always a root */
    give_up(RLIMIT_CORE);
    give_up(RLIMIT_NPROC);
    give_up(RLIMIT_NOFILE); /* descriptors that are open stay so */
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)syscall(SYS_capset, &header, none);
}
