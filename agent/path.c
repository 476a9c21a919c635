/* path.c - see path.h. */
#include "agent/path.h"

#include <string.h>

static bool is_unreserved(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("-._~", c));
}

void agent_path_put_escaped(struct fed_buf *out, struct fed_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (is_unreserved(text.at[i]))
            fed_buf_put_u8(out, text.at[i]);
        else
            fed_buf_printf(out, "%%%02X", text.at[i]);
    }
}

void agent_path_put_group(struct fed_buf *out, struct fed_span api_version)
{
    size_t slash = fed_span_find(api_version, '/');

    if (slash == api_version.len) {
        fed_buf_put_text(out, "/api/");
        agent_path_put_escaped(out, api_version);
        return;
    }
    fed_buf_put_text(out, "/apis/");
    agent_path_put_escaped(out, fed_span_sub(api_version, 0, slash));
    fed_buf_put_u8(out, '/');
    agent_path_put_escaped(out, fed_span_sub(api_version, slash + 1, api_version.len));
}

void agent_path_put_kind(struct fed_buf *out, struct fed_span api_version, struct fed_span plural)
{
    agent_path_put_group(out, api_version);
    fed_buf_put_u8(out, '/');
    agent_path_put_escaped(out, plural);
}

void agent_path_put_object(struct fed_buf *out, const struct fed_work *work)
{
    agent_path_put_group(out, work->api_version);
    if (work->ns.len > 0) {
        fed_buf_put_text(out, "/namespaces/");
        agent_path_put_escaped(out, work->ns);
    }
    fed_buf_put_u8(out, '/');
    agent_path_put_escaped(out, work->plural);
    fed_buf_put_u8(out, '/');
    agent_path_put_escaped(out, work->name);
}
