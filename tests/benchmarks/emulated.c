/* A plugin of qemu's that counts instructions by function: -plugin FILE,out=FILE writes a line "COUNT FUNCTION" for each
 * block of code that was translated. The emulator adds up itself, so that a program runs hardly slower.
 *
 * Debian has no package with qemu-plugin.h: this is the part of version 1 that is used here. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { ADD_U64 = 0 };

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id,
                                                  void (*)(plugin_id, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);
extern void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern const char *qemu_plugin_insn_symbol(const struct qemu_plugin_insn *);

extern int qemu_plugin_version;
int qemu_plugin_version = 1;
int qemu_plugin_install(plugin_id, const void *, int, char **);

struct block {
    struct block *next;
    const char *function;
    uint64_t instructions;
};
static struct block *blocks;
static FILE *out;

static void translated(plugin_id id, struct qemu_plugin_tb *code)
{
    (void)id;
    struct block *block = calloc(1, sizeof(*block));
    if (!block)
        abort();
    block->function = qemu_plugin_insn_symbol(qemu_plugin_tb_get_insn(code, 0));
    block->next = blocks;
    blocks = block;
    qemu_plugin_register_vcpu_tb_exec_inline(code, ADD_U64, &block->instructions,
                                             qemu_plugin_tb_n_insns(code));
}

static void ends(plugin_id id, void *nothing)
{
    (void)id, (void)nothing;
    for (const struct block *block = blocks; block; block = block->next)
        fprintf(out, "%llu %s\n", (unsigned long long)block->instructions,
                block->function ? block->function : "?");
    fclose(out);
}

int qemu_plugin_install(plugin_id id, const void *info, int count, char **arguments)
{
    (void)info;
    if (count != 1 || strncmp(arguments[0], "out=", 4) != 0)
        return -1;
    out = fopen(arguments[0] + 4, "w");
    if (!out)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ends, NULL);
    return 0;
}
