/* `millrace run` and `millrace why`. */
#pragma once

/* argv[0] is "millrace run" or "millrace why"; the exit status, or no return at all. */
int run_main(int argc, char **argv);
int why_main(int argc, char **argv);
