-- The same timer interrupt, delivered and lost: a program that waits for it hangs, and the scenario can tell.
local CODE = [[
    auipc t0, 0
    addi t0, t0, 60
    csrw mtvec, t0
    lui t1, 0x2004         # mtimecmp
    li t2, 1000            # 100 microseconds
    sd t2, 0(t1)
    li t3, 128
    csrw mie, t3
    csrsi mstatus, 8
    li a0, 0
  wait:
    wfi
    beqz a0, @wait
  done:
    wfi
    jal zero, @done
    nop
  handler:
    li a0, 1
    li t2, -1
    sd t2, 0(t1)
    mret
]]
local function machine() return isomer.machine { isa = "riscv64", ram = "16M", code = CODE } end
local good = machine()
good:run_until("done", { within = "1s" })
isomer.check(good.now >= 100000 and good.now < 102000, "at " .. good.now .. " ns")

local bad = machine()
bad:run("50us")
local cmp = bad:field("clint", "mtimecmp", 0)
isomer.check(cmp == 1000)
bad:u64(0x2004000, -1, "phys") -- the deadline disappears
isomer.check(bad:run("1s") == "time" and bad:run() == "idle", "it waits forever")
isomer.check(not pcall(bad.run_until, bad, "done", { within = "1s" }))
