-- What is random comes from the seed: the device tree's entropy is the same for one seed, another for another.
local function state(seed)
  local m = isomer.machine { isa = "riscv64", ram = "16M", seed = seed, code = "stop:\n wfi\n jal zero, @stop" }
  m:run(100)
  return m:hash()
end
isomer.check(state(1) == state(1))
isomer.check(state(1) ~= state(2))
local a = isomer.rand(1, 1 << 60)
isomer.check(a ~= isomer.rand(1, 1 << 60))
