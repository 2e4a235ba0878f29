/* bench_ports by itself. */
#include "bench_ports.h"

int main(int argc, char **argv)
{
    struct bench b;

    bench_init(&b, "millrace", argc, argv);
    bench_ports(&b);
    return 0;
}
