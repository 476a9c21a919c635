/* completion.h - scripts that complete fedlet's command line. What a command may be given is read
 * from its help (options.h), so that there is no second list to forget; fedctl, which looks names
 * up at its hub and has commands of two words, makes its own (cli/completion.c). */
#ifndef FEDLET_AGENT_COMPLETION_H
#define FEDLET_AGENT_COMPLETION_H

#include "proto/base/buf.h"

#define AGENT_SHELLS "bash, zsh, fish"

bool agent_completion_knows(const char *shell);
/* The script for a shell that it knows. Errors stick in out. */
void agent_completion_put(const char *shell, struct fed_buf *out);

#endif
