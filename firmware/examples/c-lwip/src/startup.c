/* From reset to main, and the few calls of the system that newlib asks for. */
#include "board.h"
#include "uart.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

extern uint32_t data_start, data_end, data_load, bss_start, bss_end, stack_top;
extern char heap_start, heap_end;

int main(void);
void link_receive_interrupt(void);
void timer0_interrupt(void);
void ethernet_interrupt(void);

_Noreturn void reset_handler(void)
{
    memcpy(&data_start, &data_load, (size_t)((char *)&data_end - (char *)&data_start));
    memset(&bss_start, 0, (size_t)((char *)&bss_end - (char *)&bss_start));
    main();
    give_up("main returned");
}

static void fault_handler(void) { give_up("fault"); }
static void stray_interrupt(void) { give_up("an interrupt that nobody asked for"); }

typedef void (*vector)(void);

__attribute__((section(".vectors"), used)) static const vector vectors[16 + 32] = {
    (vector)&stack_top,
    (vector)reset_handler,
    [2 ... 15] = fault_handler,
    [16 ... 47] = stray_interrupt,
    [16 + IRQ_LINK_RECEIVE] = link_receive_interrupt,
    [16 + IRQ_TIMER0] = timer0_interrupt,
    [16 + IRQ_ETHERNET] = ethernet_interrupt,
};

_Noreturn void give_up(const char *why)
{
    mask_interrupts();
    console_write("PANIC: ");
    console_write(why);
    console_write("\n");
    for (;;) {
        wait_for_interrupt();
    }
}

void *_sbrk(ptrdiff_t increment)
{
    static char *end = &heap_start;
    if (increment > &heap_end - end) {
        errno = ENOMEM;
        return (void *)-1;
    }
    char *before = end;
    end += increment;
    return before;
}

/* Nothing here opens files; newlib links these all the same. */
int _write(int file, const char *text, int length)
{
    (void)file;
    for (int i = 0; i < length; i++) {
        console_put(text[i]);
    }
    return length;
}
int _read(int file, char *to, int length) { (void)file, (void)to, (void)length; return 0; }
int _close(int file) { (void)file; return -1; }
int _fstat(int file, struct stat *status) { (void)file; status->st_mode = S_IFCHR; return 0; }
int _isatty(int file) { (void)file; return 1; }
int _lseek(int file, int offset, int whence) { (void)file, (void)offset, (void)whence; return 0; }
_Noreturn void _exit(int code) { (void)code; give_up("exit"); }
int _kill(int process, int signal) { (void)process, (void)signal; return -1; }
int _getpid(void) { return 1; }
int _gettimeofday(void *time, void *zone) { (void)time, (void)zone; return -1; }
