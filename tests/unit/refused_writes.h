/* refused_writes.h - a disk that refuses: writes to files fail (EFBIG) until they are allowed
 * again.
 *
 * For the whole process, so nothing is printed to a file meanwhile. */
#ifndef FEDLET_TESTS_UNIT_REFUSED_WRITES_H
#define FEDLET_TESTS_UNIT_REFUSED_WRITES_H

#include <signal.h>
#include <sys/resource.h>

static inline void test_writes_limit(rlim_t bytes)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    if (getrlimit(RLIMIT_FSIZE, &limit))
        return;
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    (void)setrlimit(RLIMIT_FSIZE, &limit);
}

static inline void test_writes_refuse(void)
{
    test_writes_limit(0);
}

static inline void test_writes_allow(void)
{
    test_writes_limit(RLIM_INFINITY);
}

#endif
