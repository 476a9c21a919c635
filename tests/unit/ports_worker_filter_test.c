/* ports_worker_filter_test.c - the system calls of a worker, each in a process of its own. Built
 * without sanitizers, as they make calls that no worker makes. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "ports/worker/worker.h"

#define NO_FILTER 77

/* How a process ends that has the filter and does this. */
static int end_of(int (*act)(void))
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !worker_filter())
            _exit(NO_FILTER);
        _exit(act());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int do_exec(void)
{
    char *const none[] = {NULL};

    execve("/bin/true", none, none);
    return 0;
}

static int do_ptrace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0;
}

static int do_kill(void)
{
    return kill(getppid(), 0);
}

static int do_unlink(void)
{
    return unlink("/tmp/there-is-none");
}

static int do_chmod(void)
{
    return chmod("/tmp/there-is-none", 0);
}

static int do_connect(void)
{
    return connect(0, NULL, 0);
}

static int do_fork(void)
{
    return fork() == 0;
}

static int do_code(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return at == MAP_FAILED || mprotect(at, 4096, PROT_READ | PROT_EXEC) != 0;
}

static void ends(int (*act)(void))
{
    int status = end_of(act);

    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_FILTER)
        skip();
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void test_calls_that_end_it(void **state)
{
    (void)state;
    ends(do_exec);
    ends(do_ptrace);
    ends(do_kill);
    ends(do_unlink);
    ends(do_chmod);
    ends(do_connect);
    ends(do_fork);
    ends(do_code);
}

/* What a worker does, by the C library's names. */
static int do_work(void)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    struct itimerval none = {{0, 0}, {0, 0}};
    char *large = malloc(1 << 20);
    char *larger = realloc(large, 4 << 20);
    struct timeval now;

    if (!larger)
        return 1;
    memset(larger, 1, 4 << 20);
    free(larger);
    alarm(60);
    if (setitimer(ITIMER_REAL, &none, NULL) != 0 || gettimeofday(&now, NULL) != 0 ||
        time(NULL) == 0)
        return 2;
    signal(SIGUSR1, SIG_IGN);
    fprintf(stderr, "it may speak\n");
    (void)getsockname(0, (struct sockaddr *)&at, &len);
    (void)close(100);
    return 0;
}

static void test_calls_that_it_needs(void **state)
{
    int status = end_of(do_work);

    (void)state;
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_FILTER)
        skip();
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int do_try(void)
{
    if (open("/etc/localtime", O_RDONLY) >= 0 || errno != EPERM)
        return 1;
    return socket(AF_INET, SOCK_DGRAM, 0) >= 0 || errno != EPERM;
}

/* What libraries try at odd moments is refused, and no more. */
static void test_calls_that_are_refused(void **state)
{
    int status = end_of(do_try);

    (void)state;
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_FILTER)
        skip();
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_calls_that_end_it),
        cmocka_unit_test(test_calls_that_it_needs), cmocka_unit_test(test_calls_that_are_refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
