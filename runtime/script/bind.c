/* The binding table: everything a scenario can say. Functions, reference page and annotations come from these rows. */
#include "script/script_int.h"

const char *const binding_classes[][2] = {
    {"isomer", "The module, a global of every scenario."},
    {"machine", "A machine; every one is deterministic."},
    {"console", "A machine's first serial port."},
    {"cpu", "A processor: `m.cpu[1]`."},
    {"task", "A function that waits on its own."},
    {NULL, NULL},
};

const struct binding bindings[] = {
    {"isomer", "machine", 'f', "(config: table?): machine",
     "Makes a machine and boots it; nothing has run yet. Fields of `config`: `isa`, `ram` (\"256M\"), "
     "`kernel`, `initrd`, "
     "`append`, `bios`, `elf` (a bare program), `board` (a file), `seed`, `devices` (a list from "
     "isomer.device), and `code`: "
     "assembly text that is run bare at the start of RAM, one instruction per line, `name:` defines a label, "
     "`@name` is the "
     "distance to it. What is left out comes from the command line of `isomer run`.",
     fn_machine},
    {"isomer", "device", 'f', "(spec: table): table",
     "Describes a device for `devices`: `name`, `base`, `size`, `irq` (an input of the interrupt "
     "controller), "
     "`read(offset, size)` which returns a number, `write(offset, size, value)`, `reset()`, `state`. It gets "
     "a "
     "node in the device tree, compatible with \"isomer,NAME\". `state` is a table of numbers, strings, "
     "booleans and such tables that its functions keep their state in: it is part of snapshots and hashes, "
     "and "
     "a reset makes it what it was at first, before `reset()` is called. What they keep elsewhere is not.",
     fn_device},
    {"isomer", "check", 'f', "(value: any, message: string?): any",
     "Fails unless `value` is true; returns it.", fn_check},
    {"isomer", "fail", 'f', "(message: string)", "Fails the scenario; also from callbacks.", fn_fail},
    {"isomer", "skip", 'f', "(reason: string)", "Ends the scenario: it could not be tried.", fn_skip},
    {"isomer", "log", 'f', "(...)", "Writes a line to standard error.", fn_log},
    {"isomer", "rand", 'f', "(low: integer, high: integer): integer",
     "A number from low to high, both included, from the seed of the run.", fn_rand},
    {"isomer", "task", 'f', "(name: string, fn: function): task",
     "Starts a function that may wait (`run`, `step`, `run_until`, `expect`, `join`) while others wait. It "
     "begins when "
     "the script waits next, and goes on whenever what it waits for has come; those due at one moment in the "
     "order in which they were made, the script last. Its errors fail the scenario. At the end every task "
     "must "
     "have returned or been stopped.",
     fn_task},
    {"isomer", "asm", 'f', "(isa: string, text: string, pc: integer?): string", "One instruction's bytes.",
     fn_asm},
    {"isomer", "dis", 'f', "(isa: string, bytes: string, pc: integer?): string, integer",
     "The first instruction's text and length.", fn_dis},

    {"machine", "boot", 'm', "()", "Resets everything and loads again what the machine was made with.",
     m_boot},
    {"machine", "run", 'm', "(limit: integer|string?): string",
     "Runs so many instructions, or for a time (\"10ms\"), or without limit. Returns why it ended: "
     "\"insns\", \"time\", \"break\" "
     "(a breakpoint), \"end\" (see `ended`), \"idle\" (it waits and no timer will end that).",
     m_run},
    {"machine", "step", 'm', "(n: integer?): string", "Runs n instructions, 1 if not said.", m_step},
    {"machine", "run_until", 'm', "(where: integer|string, options: {within: string?}?)",
     "Runs until the instruction at an address or symbol is next; fails when `within` passes or the machine "
     "ends first.",
     m_run_until},
    {"machine", "read", 'm', "(addr: integer|string, n: integer, space: string?): string",
     "Bytes of memory, by virtual address as the first processor sees it now, or with space = \"phys\" by "
     "physical address.",
     m_read},
    {"machine", "write", 'm', "(addr: integer|string, bytes: string, space: string?)", "Changes memory.",
     m_write},
    {"machine", "u8", 'm', "(addr: integer|string, value: integer?, space: string?): integer",
     "Reads, or with a value writes, one byte. At a physical address of a device it is an access to that "
     "device.",
     m_u8},
    {"machine", "u16", 'm', "(addr: integer|string, value: integer?, space: string?): integer",
     "The same for 2 bytes.", m_u16},
    {"machine", "u32", 'm', "(addr: integer|string, value: integer?, space: string?): integer",
     "The same for 4 bytes.", m_u32},
    {"machine", "u64", 'm', "(addr: integer|string, value: integer?, space: string?): integer",
     "The same for 8 bytes.", m_u64},
    {"machine", "symbol", 'm', "(name: string): integer",
     "The address of a symbol of the program or a label of `code`.", m_symbol},
    {"machine", "where", 'm', "(addr: integer): string", "An address as symbol and distance.", m_where},
    {"machine", "breakpoint", 'm', "(spec: {at: integer|string, call: function?}): integer",
     "Without `call`, running ends in front of that instruction; with it, the function is called there. "
     "Returns a number for "
     "`untap`.",
     m_breakpoint},
    {"machine", "tap", 'm',
     "(spec: {read: integer|string?, write: integer|string?, exec: integer|string?, size: integer?, call: "
     "function}): integer",
     "Calls `call(a)` for every access of `size` bytes (1 if not said) at that virtual address: `a.kind`, "
     "`a.addr`, `a.size`, "
     "`a.pc`, `a.value`. A changed `a.value` is what is written or read instead. Atomic instructions show no "
     "value. What "
     "devices transfer is not seen. Returns a number for `untap`.",
     m_tap},
    {"machine", "untap", 'm', "(id: integer)", "Removes a tap or breakpoint.", m_untap},
    {"machine", "irq", 'm', "(line: integer, level: boolean, controller: string?)",
     "Drives an input of the interrupt controller by hand.", m_irq},
    {"machine", "field", 'm', "(device: string, field: string, index: integer?, value: integer?): integer",
     "A field of a device's state; with a value, after setting it.", m_field},
    {"machine", "snapshot", 'm', "(): userdata",
     "Everything as it is now, in memory, copied when it changes.", m_snapshot},
    {"machine", "restore", 'm', "(snapshot: userdata)",
     "Goes back to a snapshot of this machine, any number of times.", m_restore},
    {"machine", "hash", 'm', "(): integer",
     "A number made of all state: RAM, processors, devices, time, console.", m_hash},
    {"machine", "advance", 'm', "(time: string)",
     "Lets the clock jump ahead without anything being executed.", m_advance},
    {"machine", "drought", 'm', "(on: boolean)", "While on, the machine's entropy source gives nothing.",
     m_drought},
    {"machine", "console", 'p', "console", "Its first serial port.", p_console},
    {"machine", "cpu", 'p', "cpu[]", "Its processors.", p_cpu},
    {"machine", "now", 'p', "integer", "Virtual nanoseconds since it was made.", p_now},
    {"machine", "insns", 'p', "integer", "Instructions retired by the first processor.", p_insns},
    {"machine", "ended", 'p', "string?",
     "Nil while it can run, else \"poweroff\", \"reset\", \"code\", \"failure\" or \"error\".", p_ended},
    {"machine", "code", 'p', "integer?", "The code that the guest ended with.", p_code},

    {"console", "expect", 'm', "(pattern: string, options: {within: string?}?): ...",
     "Runs the machine until a Lua pattern matches what it has written since the last match; returns the "
     "captures, or all "
     "of the match. Fails when `within` (30s of virtual time if not said) passes, or the machine ends. The "
     "text is looked at "
     "every virtual millisecond.",
     c_expect},
    {"console", "send", 'm', "(text: string)", "Types text; the guest takes it as fast as it can.", c_send},
    {"console", "sendline", 'm', "(text: string)", "Types text and a newline.", c_sendline},
    {"console", "text", 'p', "string", "Everything written so far.", c_text},
    {"console", "rest", 'p', "string", "What was written since the last match.", c_rest},

    {"cpu", "pc", 'p', "integer", "The address of the next instruction; may be assigned.", cpu_pc},
    {"cpu", "insns", 'p', "integer", "Instructions retired.", cpu_insns},
    {"cpu", "counters", 'p', "table<string, integer|table>",
     "What was counted so far, by the names that `--stats --json` has: of the software TLB and of decoding, "
     "and a table of "
     "the engine's own under its name. They are the host's affair: another engine or version counts "
     "otherwise.",
     cpu_counters},
    {"cpu", "x", 'p', "table<string, integer>",
     "Registers by name, to be read and assigned: `cpu.x.a0`. `cpu.f` and `cpu.sys` are the same table. "
     "Registers wider than "
     "64 bits are strings of bytes.",
     cpu_x},
    {"cpu", "get", 'm', "(name: string): integer|string", "A register by name.", cpu_get},
    {"cpu", "set", 'm', "(name: string, value: integer|string)", "Sets a register by name.", cpu_set},
    {"cpu", "disassemble", 'm', "(addr: integer?): string, integer",
     "The instruction at an address, the next one if not said, and its length.", cpu_disassemble},

    {"task", "join", 'm', "(): ...", "Waits until it has returned; what it returned.", t_join},
    {"task", "stop", 'm', "()", "Ends it where it waits.", t_stop},
    {"task", "name", 'p', "string", "Its name.", t_name},
    {"task", "done", 'p', "boolean", "Whether it has returned or was stopped.", t_done},
    {NULL, NULL, 0, NULL, NULL, NULL},
};
