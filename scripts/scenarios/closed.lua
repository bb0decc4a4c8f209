-- A scenario has no files, no processes and no clock of the host.
for _, name in ipairs { "os", "io", "package", "require", "debug", "dofile", "loadfile", "load" } do
  isomer.check(_G[name] == nil, name .. " is open")
end
isomer.check(math.random(1 << 40) == (function() math.randomseed(isomer.seed) return math.random(1 << 40) end)(), "seeded")
isomer.check(not pcall(isomer.machine, { isa = "riscv64" }), "nothing to run")
isomer.check(not pcall(isomer.machine, { isa = "riscv64", code = "frobnicate a0" }), "no instruction")
isomer.check(not pcall(isomer.machine, { isa = "riscv64", code = "jal zero, @nowhere" }), "no label")
local ok, why = pcall(isomer.fail, "on purpose")
isomer.check(not ok and why:find("on purpose"))
