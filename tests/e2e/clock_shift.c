/* clock_shift.c - makes a process believe that it is CLOCK_SHIFT_S seconds later (or earlier, when
 * negative) than it is; with CLOCK_SHIFT_FILE, as many as that file says at the moment, so that a
 * clock can be put while the process runs. The kernel says that nobody keeps that clock, unless
 * CLOCK_KEPT is set. Preloaded by the end-to-end tests; the monotonic clock
 * stays as it is, as on a gateway with a dead battery. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <sys/time.h>
#include <sys/timex.h>

/* Read anew each time: it is a test's file of a few bytes. */
static time_t shift_of_file(const char *path)
{
    char text[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        ssize_t n = read(fd, text, sizeof text - 1);

        text[n > 0 ? n : 0] = '\0';
        close(fd);
    }
    return (time_t)strtoll(text, NULL, 10);
}

static time_t shift_s(void)
{
    const char *file = getenv("CLOCK_SHIFT_FILE");
    const char *text = getenv("CLOCK_SHIFT_S");

    if (file)
        return shift_of_file(file);

    return text ? (time_t)strtoll(text, NULL, 10) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    int (*next)(clockid_t, struct timespec *) =
        (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int rc = next(clock, out);

    if (rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        out->tv_sec += shift_s();
    return rc;
}

time_t time(time_t *out)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

int adjtimex(struct timex *clock)
{
    int kept = getenv("CLOCK_KEPT") != NULL;

    clock->status = kept ? 0 : STA_UNSYNC;
    return kept ? TIME_OK : TIME_ERROR;
}
