/* complete.h - what may follow on a command line: the names that the completion scripts ask for,
 * and the whole answer for kubectl.
 *
 * kubectl runs kubectl_complete-fed with the words behind `kubectl fed`, the last one being what is
 * typed so far, and reads candidates, one a line, then `:DIRECTIVE` (kubectl, "Extend kubectl with
 * plugins", shell completion for plugins; the directives are cobra's: 0 completes files, too, 4
 * does not). */
#ifndef FEDLET_CLI_COMPLETE_H
#define FEDLET_CLI_COMPLETE_H

#include "cli/cli.h"

#define CLI_SHELLS "bash zsh fish"

/* Which names the first argument of a command is one of, as `completion names` has them; "" for
 * none. */
const char *cli_names_of(const char *command);
/* completion names WHAT [-n NS], argv beginning with WHAT: one name a line. */
enum cli_exit cli_complete_names(
    struct cli *cli, const struct cli_command *self, int argc, char **argv);
/* completion words [WORD...]: kubectl's protocol; trouble means fewer candidates. */
enum cli_exit cli_complete_words(
    struct cli *cli, const struct cli_command *self, int argc, char **argv);

#endif
