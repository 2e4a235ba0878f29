/* Dates (RFC 9110 5.6.7). */
#include "http/http_int.h"

static const char day_names[7][10] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                      "Thursday", "Friday", "Saturday"};
static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct civil {
    uint64_t year; /* 1970..9999 */
    unsigned month, day, hour, minute, second;
};

/* Days since 1970 of a date in the Gregorian calendar.  The year is counted from
 * March, so that the leap day is its last. */
static uint64_t days_of(const struct civil *c)
{
    uint64_t y = c->month <= 2 ? c->year - 1 : c->year;
    unsigned month_from_march = (c->month + 9) % 12;
    uint64_t day_of_year = (153u * month_from_march + 2) / 5 + c->day - 1;

    return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

static void civil_of(struct civil *c, uint64_t unix_s)
{
    uint64_t z = unix_s / 86400 + 719468;
    uint64_t era = z / 146097, day_of_era = z % 146097;
    uint64_t y = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * y + y / 4 - y / 100);
    unsigned m = (unsigned)(5 * day_of_year + 2) / 153;

    c->day = (unsigned)day_of_year - (153 * m + 2) / 5 + 1;
    c->month = m < 10 ? m + 3 : m - 9;
    c->year = era * 400 + y + (c->month <= 2);
    c->hour = (unsigned)(unix_s % 86400 / 3600);
    c->minute = (unsigned)(unix_s % 3600 / 60);
    c->second = (unsigned)(unix_s % 60);
}

static void put2(char *out, unsigned v)
{
    out[0] = (char)('0' + v / 10);
    out[1] = (char)('0' + v % 10);
}

/* IMF-fixdate. */
void http_date_emit(char out[HTTP_DATE_SIZE], uint64_t unix_s)
{
    struct civil c;

    civil_of(&c, unix_s);
    memcpy(out, "Day, 00 Mon 0000 00:00:00 GMT", HTTP_DATE_SIZE);
    memcpy(out, day_names[(unix_s / 86400 + 4) % 7], 3);
    put2(out + 5, c.day);
    memcpy(out + 8, month_names[c.month - 1], 3);
    put2(out + 12, (unsigned)(c.year / 100 % 100));
    put2(out + 14, (unsigned)(c.year % 100));
    put2(out + 17, c.hour);
    put2(out + 20, c.minute);
    put2(out + 23, c.second);
}

/* take_digits reads exactly n digits (a space may stand for the first if padded). */
static bool take_digits(struct http_str *s, size_t n, bool padded, unsigned *out)
{
    unsigned v = 0;

    if (s->n < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        char ch = s->p[i];
        if (padded && i == 0 && ch == ' ')
            continue;
        if (ch < '0' || ch > '9')
            return false;
        v = v * 10 + (unsigned)(ch - '0');
    }
    s->p += n;
    s->n -= n;
    *out = v;
    return true;
}

static bool take_text(struct http_str *s, const char *text, size_t n)
{
    if (s->n < n || memcmp(s->p, text, n) != 0)
        return false;
    s->p += n;
    s->n -= n;
    return true;
}

static bool take_month(struct http_str *s, unsigned *out)
{
    for (unsigned m = 0; m < 12; m++) {
        if (take_text(s, month_names[m], 3)) {
            *out = m + 1;
            return true;
        }
    }
    return false;
}

static bool take_time(struct http_str *s, struct civil *c)
{
    return take_digits(s, 2, false, &c->hour) && take_text(s, ":", 1) &&
           take_digits(s, 2, false, &c->minute) && take_text(s, ":", 1) &&
           take_digits(s, 2, false, &c->second);
}

/* A year of two digits that looks more than 50 years ahead is of the past. */
static uint64_t full_year(unsigned two, uint64_t now_s)
{
    struct civil now;
    uint64_t year;

    civil_of(&now, now_s);
    year = now.year / 100 * 100 + two;
    return year > now.year + 50 ? year - 100 : year;
}

/* "06 Nov 1994 08:49:37 GMT" after "Sun, ". */
static bool parse_fixdate(struct http_str s, struct civil *c)
{
    unsigned year;

    if (!take_digits(&s, 2, false, &c->day) || !take_text(&s, " ", 1) ||
        !take_month(&s, &c->month) || !take_text(&s, " ", 1) || !take_digits(&s, 4, false, &year))
        return false;
    c->year = year;
    return take_text(&s, " ", 1) && take_time(&s, c) && take_text(&s, " GMT", 4) && s.n == 0;
}

/* "06-Nov-94 08:49:37 GMT" after "Sunday, ". */
static bool parse_rfc850(struct http_str s, struct civil *c, uint64_t now_s)
{
    unsigned year;

    if (!take_digits(&s, 2, false, &c->day) || !take_text(&s, "-", 1) ||
        !take_month(&s, &c->month) || !take_text(&s, "-", 1) || !take_digits(&s, 2, false, &year))
        return false;
    c->year = full_year(year, now_s);
    return take_text(&s, " ", 1) && take_time(&s, c) && take_text(&s, " GMT", 4) && s.n == 0;
}

/* "Nov  6 08:49:37 1994" after "Sun ". */
static bool parse_asctime(struct http_str s, struct civil *c)
{
    unsigned year;

    if (!take_month(&s, &c->month) || !take_text(&s, " ", 1) ||
        !take_digits(&s, 2, true, &c->day) || !take_text(&s, " ", 1) || !take_time(&s, c) ||
        !take_text(&s, " ", 1) || !take_digits(&s, 4, false, &year))
        return false;
    c->year = year;
    return s.n == 0;
}

static bool parse_any(struct http_str s, struct civil *c, uint64_t now_s)
{
    for (int d = 0; d < 7; d++) {
        struct http_str rest = s;
        if (take_text(&rest, day_names[d], http_str_z(day_names[d]).n) && take_text(&rest, ", ", 2))
            return parse_rfc850(rest, c, now_s);
        rest = s;
        if (!take_text(&rest, day_names[d], 3))
            continue;
        if (take_text(&rest, ", ", 2))
            return parse_fixdate(rest, c);
        return take_text(&rest, " ", 1) && parse_asctime(rest, c);
    }
    return false;
}

static bool is_possible(const struct civil *c)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = c->year % 4 == 0 && (c->year % 100 != 0 || c->year % 400 == 0);
    unsigned last = days[c->month - 1] + (c->month == 2 && leap);

    return c->year >= 1970 && c->year <= 9999 && c->day >= 1 && c->day <= last && c->hour < 24 &&
           c->minute < 60 && c->second <= 60;
}

bool http_date_parse(struct http_str text, uint64_t now_s, uint64_t *unix_s)
{
    struct civil c = {0};

    if (!parse_any(text, &c, now_s) || !is_possible(&c))
        return false;
    *unix_s = days_of(&c) * 86400 + c.hour * 3600u + c.minute * 60u + c.second;
    return true;
}
