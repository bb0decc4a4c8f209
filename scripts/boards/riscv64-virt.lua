-- The riscv64 `virt` board: addresses and interrupt numbers are those of QEMU's machine of the same name.
local m = ...

local HZ = 10000000
local PLIC_SOURCES = 96

-- Architecture strings from the processor's features. Single letters come in the manual's order, the rest by category
-- (Z* by their second letter, then S*), each alphabetically.
local LETTERS = "MAFDQCBPVH"
local function isa_extensions(features)
  local single, multi = { "i" }, {}
  for c in LETTERS:gmatch(".") do
    if features[c] then single[#single + 1] = c:lower() end
  end
  local order = "imafdqlcbkjtpvh"
  local function rank(e)
    if e:sub(1, 1) == "s" then return "2" .. e end
    return ("1%02d"):format(order:find(e:sub(2, 2), 1, true) or 99) .. e
  end
  for name in pairs(features) do
    local e = name:lower()
    if (e:find("^z%l") or e:find("^ss%l") or e == "svade" or e == "svadu") and #e > 2 then multi[#multi + 1] = e end
  end
  table.sort(multi, function(a, b) return rank(a) < rank(b) end)
  local list = table.move(multi, 1, #multi, #single + 1, { table.unpack(single) })
  local text = "rv64" .. table.concat(single)
  if #multi > 0 then text = text .. "_" .. table.concat(multi, "_") end
  return text, list
end

local function mmu(features)
  for _, mode in ipairs { "Sv57", "Sv48", "Sv39" } do
    if features[mode] then return "riscv," .. mode:lower() end
  end
  return "riscv,sv39"
end

local isa, extensions = isa_extensions(m.features)
local cpus = { ["#address-cells"] = 1, ["#size-cells"] = 0, ["timebase-frequency"] = HZ }
local cluster = {}
local lines = { clint = {}, clint_fdt = {}, plic = {}, plic_fdt = {} }

-- Inputs of a hart: the numbers of its interrupt-pending bits.
local SOFT_M, TIMER_M, EXT_S, EXT_M = 3, 7, 9, 11

for h = 0, m.cpus - 1 do
  local cpu = {
    label = "cpu" .. h,
    device_type = "cpu",
    compatible = "riscv",
    reg = h,
    status = "okay",
    ["riscv,isa"] = isa,
    ["riscv,isa-base"] = "rv64i",
    ["riscv,isa-extensions"] = extensions,
    ["mmu-type"] = mmu(m.features),
    ["interrupt-controller"] = {
      label = "intc" .. h,
      compatible = "riscv,cpu-intc",
      ["interrupt-controller"] = true,
      ["#interrupt-cells"] = 1,
      ["#address-cells"] = 0,
    },
  }
  if m.features.Zicbom then cpu["riscv,cbom-block-size"] = 64 end
  if m.features.Zicboz then cpu["riscv,cboz-block-size"] = 64 end
  cpus[("cpu@%x"):format(h)] = cpu
  cluster["core" .. h] = { cpu = ref("cpu" .. h) }

  local intc = ref("intc" .. h)
  local function wire(list, cpu_line)
    local out, fdt = lines[list], lines[list .. "_fdt"]
    out[#out + 1] = { "cpu", h, cpu_line }
    fdt[#fdt + 1] = intc
    fdt[#fdt + 1] = cpu_line
  end
  wire("clint", SOFT_M)
  wire("clint", TIMER_M)
  wire("plic", EXT_M)
  wire("plic", EXT_S)
end
cpus["cpu-map"] = { cluster0 = cluster }

local devices = {
  device {
    "plic", id = "plic", base = 0xc000000, size = 0x600000, sources = PLIC_SOURCES, irqs = lines.plic,
    fdt = {
      node = "plic", label = "plic",
      compatible = { "sifive,plic-1.0.0", "riscv,plic0" },
      ["interrupt-controller"] = true,
      ["#interrupt-cells"] = 1,
      ["#address-cells"] = 0,
      ["riscv,ndev"] = PLIC_SOURCES - 1,
      ["interrupts-extended"] = lines.plic_fdt,
    },
  },
  device {
    "aclint", id = "clint", base = 0x2000000, size = 0x10000, hz = HZ, irqs = lines.clint,
    fdt = {
      node = "clint",
      compatible = { "sifive,clint0", "riscv,clint0" },
      ["interrupts-extended"] = lines.clint_fdt,
    },
  },
  device {
    "finisher", id = "finisher", base = 0x100000, size = 0x1000,
    fdt = { node = "test", label = "test", compatible = { "sifive,test1", "sifive,test0", "syscon" } },
  },
  device {
    "goldfish_rtc", id = "rtc", base = 0x101000, size = 0x1000, irqs = { { "plic", 11 } },
    fdt = { node = "rtc", compatible = "google,goldfish-rtc" },
  },
  device {
    "ns16550a", id = "uart0", base = 0x10000000, size = 0x100, irqs = { { "plic", 10 } }, chardev = "serial",
    fdt = { node = "serial", compatible = "ns16550a", ["clock-frequency"] = 3686400 },
  },
}

-- VirtIO slots; the empty ones answer with device ID 0.
local virtio = { [0] = "rng", [1] = "console" }
for slot = 0, 7 do
  devices[#devices + 1] = device {
    "virtio_mmio", id = "virtio" .. slot, base = 0x10001000 + slot * 0x1000, size = 0x1000, irqs = { { "plic", slot + 1 } },
    device = virtio[slot], chardev = virtio[slot] == "console" and "console" or nil,
    fdt = { node = "virtio", compatible = "virtio,mmio" },
  }
end

return {
  isa = "riscv64",
  clock_hz = HZ,
  irqchip = "plic",
  memory = { { name = "ram", base = 0x80000000, size = m.ram } },
  devices = devices,
  fdt = {
    ["#address-cells"] = 2,
    ["#size-cells"] = 2,
    compatible = "riscv-virtio",
    model = "riscv-virtio,isomer",
    chosen = { ["stdout-path"] = "/soc/serial@10000000" },
    cpus = cpus,
    soc = { ["#address-cells"] = 2, ["#size-cells"] = 2, compatible = "simple-bus", ranges = true, devices = true },
    poweroff = { compatible = "syscon-poweroff", regmap = ref "test", offset = 0, value = 0x5555 },
    reboot = { compatible = "syscon-reboot", regmap = ref "test", offset = 0, value = 0x7777 },
  },
}
