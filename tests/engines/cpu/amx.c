/* The instructions of AMX that the engine uses, for processors without them.

   Such a processor stops at each with SIGILL. The handler does what the manual says (Intel 64 and
   IA-32 Architectures Software Developer's Manual, volume 2: LDTILECFG, TILELOADD, TDPBF16PS, ...)
   and goes on behind it. Each thread has tiles of its own. What the manual forbids, and what is not
   known here, ends the process.

   tiles_used() counts the products of tiles of all threads so far, tiles_held() the threads that
   have configured tiles and not released them. */

#define _GNU_SOURCE
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ucontext.h>
#include <unistd.h>

static __thread uint8_t tiles[8][16][64];
static __thread int row_bytes[8], n_rows[8], is_configured;
static uint64_t n_products, n_held;

static const int REGISTERS[16] = {
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
    REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

static void fail(const char *why) {
    if (write(2, why, strlen(why)) < 0) {}
    signal(SIGABRT, SIG_DFL);
    abort();
}

static float number(const uint8_t *half) {
    uint32_t bits = (uint32_t)half[0] << 16 | (uint32_t)half[1] << 24;
    if ((bits & 0x7F800000) == 0) bits &= 0x80000000; /* denormals are zeros */
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

static float flushed(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return bits & 0x7F800000 ? x : copysignf(0, x);
}

static void configure(const uint8_t *from) {
    if (is_configured) fail("amx: configured twice\n");
    if (from[0] != 1) fail("amx: not palette 1\n");
    for (int i = 1; i < 64; i++)
        if ((i < 16 || (i >= 32 && i < 48) || i >= 56) && from[i]) fail("amx: a reserved byte\n");
    for (int t = 0; t < 8; t++) {
        row_bytes[t] = from[16 + 2 * t] | from[17 + 2 * t] << 8;
        n_rows[t] = from[48 + t];
        if (row_bytes[t] > 64 || n_rows[t] > 16) fail("amx: a tile is too large\n");
        if (!row_bytes[t] != !n_rows[t]) fail("amx: half a tile\n");
    }
    memset(tiles, 0, sizeof tiles);
    is_configured = 1;
    __atomic_fetch_add(&n_held, 1, __ATOMIC_RELAXED);
}

static void release(void) {
    if (is_configured) __atomic_fetch_sub(&n_held, 1, __ATOMIC_RELAXED);
    is_configured = 0;
}

static void multiply(int to, int a, int b) {
    if (n_rows[to] != n_rows[a] || row_bytes[to] != row_bytes[b] || row_bytes[a] != 4 * n_rows[b])
        fail("amx: tiles that do not fit\n");
    if (to == a || to == b || a == b) fail("amx: tiles of a product must differ\n");
    for (int i = 0; i < n_rows[to]; i++)
        for (int j = 0; j < row_bytes[to] / 4; j++) {
            float even = 0, odd = 0, total;
            for (int w = 0; w < row_bytes[a] / 4; w++) {
                const uint8_t *x = &tiles[a][i][4 * w], *y = &tiles[b][w][4 * j];
                even = flushed(fmaf(number(x), number(y), even));
                odd = flushed(fmaf(number(x + 2), number(y + 2), odd));
            }
            memcpy(&total, &tiles[to][i][4 * j], 4);
            total = flushed(flushed(total) + flushed(even + odd));
            memcpy(&tiles[to][i][4 * j], &total, 4);
        }
    __atomic_fetch_add(&n_products, 1, __ATOMIC_RELAXED);
}

/* VEX: C4, ~R ~X ~B and the map (2), W ~vvvv L and the prefix, opcode, ModRM, SIB, displacement. */
static void handle(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info;
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *p = (const uint8_t *)r[REG_RIP];
    if (p[0] != 0xC4 || (p[1] & 31) != 2 || (p[2] & 0x84)) fail("amx: not an instruction of it\n");
    int high_r = !(p[1] & 0x80), high_x = !(p[1] & 0x40), high_b = !(p[1] & 0x20);
    int third = ~(p[2] >> 3) & 15, prefix = p[2] & 3, opcode = p[3], modrm = p[4];
    int mod = modrm >> 6, reg = (modrm >> 3 & 7) | high_r << 3, rm = modrm & 7;
    const uint8_t *end = p + 5;
    uint8_t *place = 0;
    int64_t stride = 0;
    if (mod != 3) {
        int base = rm, is_plain = 0;
        if (rm == 4) {
            int sib = *end++, index = (sib >> 3 & 7) | high_x << 3;
            base = sib & 7;
            is_plain = base == 5 && mod == 0;
            if (index != 4) stride = r[REGISTERS[index]] << (sib >> 6);
        } else if (rm == 5 && mod == 0)
            is_plain = 2; /* relative to the next instruction */
        if (!is_plain) place = (uint8_t *)r[REGISTERS[base | high_b << 3]];
        int32_t far = 0;
        if (mod == 1) far = (int8_t)*end++;
        if (mod == 2 || is_plain) memcpy(&far, end, 4), end += 4;
        place += far;
        if (is_plain == 2) place += (intptr_t)end;
    }
    if (reg > 7 || (mod == 3 && (high_b || third > 7))) fail("amx: no such tile\n");
    if (opcode != 0x5C && third) fail("amx: an operand too many\n");
    if (opcode == 0x49 && mod == 3 && rm) fail("amx: no such instruction\n");
    if (opcode == 0x49 && prefix == 0 && modrm == 0xC0) release();                 /* TILERELEASE */
    else if (opcode == 0x49 && prefix == 0 && mod == 3) fail("amx: no such instruction\n");
    else if (opcode == 0x49 && prefix == 0) configure(place);                      /* LDTILECFG */
    else if (!is_configured) fail("amx: no tiles are configured\n");
    else if (opcode == 0x49 && prefix == 3 && mod == 3) memset(tiles[reg], 0, 1024); /* TILEZERO */
    else if (opcode == 0x4B && mod != 3 && rm == 4 && (prefix == 2 || prefix == 3))
        for (int i = 0; i < n_rows[reg]; i++) {
            if (prefix == 3) memcpy(tiles[reg][i], place + i * stride, row_bytes[reg]); /* TILELOADD */
            else memcpy(place + i * stride, tiles[reg][i], row_bytes[reg]);        /* TILESTORED */
        }
    else if (opcode == 0x5C && prefix == 2 && mod == 3) multiply(reg, rm, third);  /* TDPBF16PS */
    else fail("amx: an instruction that is not known here\n");
    r[REG_RIP] = (greg_t)end;
}

static struct sigaction before;

void tiles_begin(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGILL, &action, &before);
}

void tiles_end(void) { sigaction(SIGILL, &before, 0); }

uint64_t tiles_used(void) { return __atomic_load_n(&n_products, __ATOMIC_RELAXED); }

uint64_t tiles_held(void) { return __atomic_load_n(&n_held, __ATOMIC_RELAXED); }
