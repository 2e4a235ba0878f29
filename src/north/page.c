/* The page: one file, embedded when this is built. */
#include "north/serve.h"

extern const char page_html[];
extern const size_t page_html_n;

void serve_page(struct call *c)
{
    c->text = (char *)(uintptr_t)page_html;
    c->text_n = page_html_n;
    c->text_static = true;
    c->type = "text/html; charset=utf-8";
}
