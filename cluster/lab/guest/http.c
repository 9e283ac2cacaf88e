#include "http.h"

#include "console.h"
#include "disk_log.h"
#include "identity.h"
#include "interrupts.h"
#include "load.h"
#include "power.h"

#define VERB 5 /* after "GET /" */
#define PUT_OFF (TICKS_PER_SECOND / 10)

static int healthy = 1;
static char put_off;
static u32 put_off_until;

int http_take(struct http_request *request, const u8 *content, u32 length)
{
    for (; length; length--, content++) {
        if (request->length < sizeof request->line - 1)
            request->line[request->length++] = (char)*content;
        if (*content == '\n' && ++request->line_breaks == 2)
            return 1;
        if (*content != '\n' && *content != '\r')
            request->line_breaks = 0;
    }
    return 0;
}

static const char *read_number(const char *text, u32 *value)
{
    for (*value = 0; *text >= '0' && *text <= '9'; text++)
        *value = *value * 10 + (u32)(*text - '0');
    return text;
}

static void set_load(const char *text)
{
    u32 rate, mebibytes = 0;

    text = read_number(text, &rate);
    if (*text == ',')
        read_number(text + 1, &mebibytes);
    load_set(rate, mebibytes);
}

static void obey(const char *verb)
{
    if (*verb == 'f')
        healthy = 0;
    else if (*verb == 'o')
        healthy = 1;
    else if (*verb == 'd')
        set_load(verb + 1);
    else if (*verb == 'x' || *verb == 'p' || *verb == 'r' || *verb == 'P') {
        put_off = *verb;
        put_off_until = ticks() + PUT_OFF;
    }
}

u32 http_answer(const struct http_request *request, char *answer)
{
    char *end = answer;

    if (request->length > VERB)
        obey(request->line + VERB);
    end = append_text(end, healthy ? "HTTP/1.0 200 OK\r\n" : "HTTP/1.0 503 Unhealthy\r\n");
    end = append_text(end, "Content-Type: text/plain\r\nConnection: close\r\n\r\nboot=");
    end = append_hex64(end, boot_id());
    end = append_text(end, " boots=");
    end = append_number(end, disk_log_boots());
    end = append_text(end, " counter=");
    end = append_number(end, disk_log_counter());
    end = append_text(end, " ticks=");
    end = append_number(end, ticks());
    end = append_text(end, " healthy=");
    end = append_number(end, (u32)healthy);
    end = append_text(end, " write_errors=");
    end = append_number(end, disk_log_write_errors());
    end = append_text(end, "\n");
    return (u32)(end - answer);
}

void http_tick(void)
{
    char verb = put_off;

    if (!verb || (int)(ticks() - put_off_until) < 0)
        return;
    put_off = 0;
    if (verb == 'x')
        hang();
    else if (verb == 'p')
        power_off();
    else if (verb == 'r')
        power_reset();
    else
        report_panic();
}
