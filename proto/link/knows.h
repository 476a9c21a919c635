/* knows.h - what an end of the link understands beyond what every end has to: one bit each, said by
 * the agent in the query of its hello and by the hub in the answer (docs/protocol.md, section 11).
 *
 * A bit is for something that the other end may leave out, or hold back, towards an end that does
 * not have it. Ends of before it was said are taken for FED_LINK_KNOWS_FIRST: they refuse what they
 * do not know, and know all of that. A new option bit of works, `what` or flag of frames,
 * dictionary or section of reports gets a bit here; bits are never used again. */
#ifndef FEDLET_PROTO_LINK_KNOWS_H
#define FEDLET_PROTO_LINK_KNOWS_H

#include <stdint.h>

/* The works' option STATUS, the reports' section of remote statuses. */
#define FED_LINK_KNOWS_STATUS 0x01u
/* The works' option SCALE, the reports' section of scales. */
#define FED_LINK_KNOWS_SCALE 0x02u
/* The works' options from bit 8 on: how to delete. */
#define FED_LINK_KNOWS_DELETE 0x04u
/* Deflated sections with dictionary 1 (proto/bundle/dict.h); without any dictionary that both have,
 * sections travel as they are. */
#define FED_LINK_KNOWS_DICTIONARY_1 0x08u
/* Reports' entries that say Applied with a reason and a message (proto/bundle/report.h). */
#define FED_LINK_KNOWS_NOTE 0x10u
/* Reports' entries that say Failed with the version that is in place. */
#define FED_LINK_KNOWS_IN_PLACE 0x20u

/* Removals that were ordered by name are marked in frames, the others may wait for consent, and GET
 * /r says which are to go (proto/bundle/consent.h). */
#define FED_LINK_KNOWS_CONSENT 0x40u

#define FED_LINK_KNOWS_FIRST 0x0fu
/* What this build says that it knows. tests build an agent that says less. */
#ifndef FED_LINK_KNOWS_ALL
#define FED_LINK_KNOWS_ALL 0x7fu
#endif

#endif
