/* Runs the controller on a bare Cortex-M4 (QEMU's mps2-an386) and prints torques by semihosting.
 *
 * No heap: the workspace is an array whose size was asked for on the host, and is checked here.
 */
#include <stdint.h>
#include "controller.h"

enum { STATES = 3, WORKSPACE_BYTES = 4096 };
static char workspace[WORKSPACE_BYTES] __attribute__((aligned(64)));

static void host(int operation, const void *argument) {
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void print(const char *text) { host(4 /* SYS_WRITE0 */, text); }

static void print_number(int32_t value) {
    char text[16], *at = text + sizeof text;
    uint32_t left = value < 0 ? -(uint32_t)value : (uint32_t)value;
    *--at = 0;
    do *--at = (char)('0' + left % 10); while (left /= 10);
    if (value < 0) *--at = '-';
    print(at);
}

static int run(void) {
    static const float states[STATES * 4] = {0, 0.1f, 0, 0, 0.5f, -0.2f, 0.1f, 0.3f, -1, 0.05f, 0, -0.4f};
    float torque[STATES];
    int64_t bytes = controller_control_workspace_bytes(STATES);
    if (bytes < 0 || bytes > WORKSPACE_BYTES) return 1;
    int32_t error = controller_control(STATES, states, torque, workspace, WORKSPACE_BYTES);
    if (error) return print(controller_strerror(error)), 1;
    for (int k = 0; k < STATES; k++) {
        print_number((int32_t)(torque[k] * 1e6f));
        print("\n");
    }
    return controller_control(-1, states, torque, workspace, WORKSPACE_BYTES) != CONTROLLER_EXTENT;
}

extern uint32_t _data_start[], _data_end[], _data_source[], _bss_start[], _bss_end[], _stack[];

void start(void) {
    *(volatile uint32_t *)0xE000ED88 |= 0xF << 20; /* the floating-point unit on */
    __asm__ volatile("dsb\n isb");
    for (uint32_t *to = _data_start, *from = _data_source; to < _data_end;) *to++ = *from++;
    for (uint32_t *to = _bss_start; to < _bss_end;) *to++ = 0;
    int failed = run();
    host(0x18 /* SYS_EXIT */, (const void *)(failed ? 0x20024 : 0x20026));
    for (;;) {}
}

static void fault(void) { print("fault\n"), host(0x18, (const void *)0x20024); }

__attribute__((section(".vectors"), used)) static const void *const vectors[] = {
    _stack, (void *)start, (void *)fault, (void *)fault, (void *)fault, (void *)fault, (void *)fault};
