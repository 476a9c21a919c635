/* worker_filter.c - see worker.h: which system calls a worker may make (seccomp(2), by hand, as C
 * libraries have no functions for it).
 *
 * Three lists: what it needs; what libraries try at odd moments, and get EPERM for; of memory only
 * what is not executable. Everything else ends the process at once, and fedhub starts another.
 * Calls have names here, as their numbers are each architecture's own, and not all have all. */
#include "ports/worker/worker.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* The sanitizers look at files and other processes whenever they report. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__arm__)
#define ARCHITECTURE AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#else
#define ARCHITECTURE 0 /* no filter */
#endif

static const unsigned allowed[] = {
    /* the loop, the network, fedhub; what is called most comes first */
    __NR_epoll_pwait,
#ifdef __NR_epoll_wait
    __NR_epoll_wait,
#endif
    __NR_epoll_ctl,
    __NR_recvmsg,
    __NR_recvfrom,
    __NR_sendmsg,
    __NR_sendto,
    __NR_recvmmsg,
    __NR_sendmmsg,
#ifdef __NR_recvmmsg_time64
    __NR_recvmmsg_time64,
#endif
#ifdef __NR_recv
    __NR_recv,
#endif
#ifdef __NR_send
    __NR_send,
#endif
    __NR_read,
    __NR_write,
    __NR_readv,
    __NR_writev,
    __NR_accept4,
    __NR_close,
    __NR_shutdown,
    __NR_getsockname,
    __NR_getpeername,
    __NR_getsockopt,
    __NR_setsockopt,
    /* time and chance */
    __NR_clock_gettime,
#ifdef __NR_clock_gettime64
    __NR_clock_gettime64,
#endif
    __NR_gettimeofday,
#ifdef __NR_time
    __NR_time,
#endif
    __NR_setitimer,
#ifdef __NR_alarm
    __NR_alarm,
#endif
    __NR_getrandom,
    /* memory */
    __NR_brk,
    __NR_munmap,
    __NR_mremap,
    __NR_madvise,
    __NR_futex,
#ifdef __NR_futex_time64
    __NR_futex_time64,
#endif
    /* signals and the end */
    __NR_rt_sigaction,
    __NR_rt_sigprocmask,
    __NR_rt_sigreturn,
#ifdef __NR_sigreturn
    __NR_sigreturn,
#endif
    __NR_restart_syscall,
    __NR_getpid,
    __NR_gettid,
    __NR_exit,
    __NR_exit_group,
};

/* Allowed unless the third argument has PROT_EXEC. */
static const unsigned memory[] = {
#ifdef __NR_mmap
    __NR_mmap,
#endif
#ifdef __NR_mmap2
    __NR_mmap2,
#endif
    __NR_mprotect,
};

/* Time zones, descriptors of logs, sizes of the machine, names of a network's interfaces. */
static const unsigned refused[] = {
#ifdef __NR_open
    __NR_open,
#endif
    __NR_openat,
#ifdef __NR_newfstatat
    __NR_newfstatat,
#endif
#ifdef __NR_fstatat64
    __NR_fstatat64,
#endif
#ifdef __NR_fstat
    __NR_fstat,
#endif
#ifdef __NR_fstat64
    __NR_fstat64,
#endif
    __NR_statx,
    __NR_fcntl,
#ifdef __NR_fcntl64
    __NR_fcntl64,
#endif
    __NR_ioctl,
    __NR_lseek,
    __NR_socket,
    __NR_prlimit64,
    __NR_sysinfo,
    __NR_uname,
    __NR_sched_getaffinity,
};

#define N_OF(list) (sizeof(list) / sizeof *(list))
#define X32_FROM 0x40000000u /* x86-64: the same calls by other numbers */
#define PROT_ARGUMENT offsetof(struct seccomp_data, args[2]) /* low half: all are little endian */
#define PROGRAM_MAX (8 + 2 * N_OF(allowed) + 5 * N_OF(memory) + 2 * N_OF(refused))

struct program {
    struct sock_filter code[PROGRAM_MAX];
    unsigned short len;
};

static void put(struct program *p, struct sock_filter one)
{
    p->code[p->len++] = one;
}

static void put_return(struct program *p, uint32_t verdict)
{
    put(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, verdict));
}

static void put_load(struct program *p, size_t at)
{
    put(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)at));
}

/* A list of calls to one verdict; what is loaded is the call's number, before and behind. */
static void put_list(struct program *p, const unsigned *calls, size_t n, uint32_t verdict)
{
    for (size_t i = 0; i < n; i++) {
        put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i], 0, 1));
        put_return(p, verdict);
    }
}

static void put_memory(struct program *p)
{
    for (size_t i = 0; i < N_OF(memory); i++) {
        put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, memory[i], 0, 4));
        put_load(p, PROT_ARGUMENT);
        put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0));
        put_return(p, SECCOMP_RET_ALLOW);
        put_return(p, SECCOMP_RET_KILL_PROCESS);
    }
}

static void make(struct program *p)
{
    put_load(p, offsetof(struct seccomp_data, arch));
    put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
    put_return(p, SECCOMP_RET_KILL_PROCESS);
    put_load(p, offsetof(struct seccomp_data, nr));
    put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_FROM, 0, 1));
    put_return(p, SECCOMP_RET_KILL_PROCESS);
    put_list(p, allowed, N_OF(allowed), SECCOMP_RET_ALLOW);
    put_memory(p);
    put_list(p, refused, N_OF(refused), SECCOMP_RET_ERRNO | EPERM);
    put_return(p, SECCOMP_RET_KILL_PROCESS);
}

bool worker_filter(void)
{
    struct program program = {.len = 0};
    struct sock_fprog whole = {.filter = program.code};

    if (SANITIZED || ARCHITECTURE == 0)
        return false;
    make(&program);
    whole.len = program.len;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &whole, 0, 0) == 0;
}
