/* main.c - where the process begins. The commands are in cmd_*.c. */
#include "drive/cmd.h"

int main(int argc, char **argv)
{
	return cmd_main(argc, argv);
}
