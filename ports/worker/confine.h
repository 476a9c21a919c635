/* confine.h - what a worker gives up once it has all that it needs. */
#ifndef FEDLET_PORTS_WORKER_CONFINE_H
#define FEDLET_PORTS_WORKER_CONFINE_H

/* No capabilities, no gain of them by a program that it might start, no new process (unless it is
 * root's), no core file with keys, and no new descriptor: so no file, socket or pipe can be opened
 * any more. What is left is what it has: its UDP socket, the socket to fedhub, standard error, and
 * system calls that need no descriptor. What cannot be given up is kept: the kernel may be old. */
void worker_confine(void);

#endif
