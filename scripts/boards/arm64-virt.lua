-- The arm64 `virt` board: addresses and interrupt numbers are those of QEMU's machine of the same name. With the processor's
-- feature GICv3 it has that interrupt controller, else a GICv2.
local m = ...

local HZ = 62500000
local SPIS = 256
local PPI, HIGH = 1, 4 -- cells of an interrupt

local v3 = m.features.GICv3
local VIRTUAL, HYP, PHYSICAL, SECURE = 11, 10, 14, 13 -- PPIs of the generic timer, less 16

local cpus = { ["#address-cells"] = 1, ["#size-cells"] = 0 }
local cluster = {}
local to_cpus, from_timer = {}, {}
for c = 0, m.cpus - 1 do
  cpus[("cpu@%x"):format(c)] = {
    label = "cpu" .. c,
    device_type = "cpu",
    compatible = "arm,armv8",
    reg = c // 16 * 256 + c % 16,
    ["enable-method"] = m.cpus > 1 and "psci" or nil,
  }
  cluster["core" .. c] = { cpu = ref("cpu" .. c) }
  to_cpus[#to_cpus + 1] = { "cpu", c, 0 }
  to_cpus[#to_cpus + 1] = { "cpu", c, 1 }
  -- inputs of the GIC: shared interrupts, then 32 private ones of each CPU
  from_timer[#from_timer + 1] = { "gic", SPIS + 32 * c + 16 + PHYSICAL }
  from_timer[#from_timer + 1] = { "gic", SPIS + 32 * c + 16 + VIRTUAL }
end
cpus["cpu-map"] = { cluster0 = cluster }

local gic_fdt = {
  node = "intc", label = "gic",
  ["interrupt-controller"] = true,
  ["#interrupt-cells"] = 3,
  ["#address-cells"] = 2,
  ["#size-cells"] = 2,
  ranges = true,
}
if v3 then
  gic_fdt.compatible = "arm,gic-v3"
  gic_fdt["#redistributor-regions"] = 1
  gic_fdt.reg = { u64(0x8000000), u64(0x10000), u64(0x80a0000), u64(0xf60000) }
else
  gic_fdt.compatible = "arm,cortex-a15-gic"
  gic_fdt.reg = { u64(0x8000000), u64(0x10000), u64(0x8010000), u64(0x10000) }
end

-- A PrimeCell's node: its clock is the board's one.
local function cell(name, compatible, more)
  local n = {
    node = name, compatible = { compatible, "arm,primecell" },
    clocks = ref "pclk", ["clock-names"] = "apb_pclk",
  }
  for k, v in pairs(more or {}) do n[k] = v end
  return n
end

local devices = {
  device { v3 and "gicv3" or "gicv2", id = "gic", base = 0x8000000, size = v3 and 0x1000000 or 0x20000, spis = SPIS, irqs = to_cpus,
           fdt = gic_fdt },
  device { "arm_timer", id = "timer", hz = HZ, irqs = from_timer },
  device {
    "pl011", id = "uart0", base = 0x9000000, size = 0x1000, irqs = { { "gic", 1 } }, chardev = "serial",
    fdt = cell("pl011", "arm,pl011", { clocks = { ref "pclk", ref "pclk" }, ["clock-names"] = { "uartclk", "apb_pclk" } }),
  },
  device { "pl031", id = "rtc", base = 0x9010000, size = 0x1000, irqs = { { "gic", 2 } }, fdt = cell("pl031", "arm,pl031") },
  device {
    "pl061", id = "gpio", base = 0x9030000, size = 0x1000, irqs = { { "gic", 7 } },
    fdt = cell("pl061", "arm,pl061", {
      label = "gpio", ["gpio-controller"] = true, ["#gpio-cells"] = 2, ["interrupt-controller"] = true, ["#interrupt-cells"] = 2,
      ["#address-cells"] = 0,
    }),
  },
}

-- VirtIO slots; the empty ones answer with device ID 0.
local virtio = { [0] = "rng", [1] = "console" }
for slot = 0, 31 do
  devices[#devices + 1] = device {
    "virtio_mmio", id = "virtio" .. slot, base = 0xa000000 + slot * 0x200, size = 0x200, irqs = { { "gic", 16 + slot } },
    device = virtio[slot], chardev = virtio[slot] == "console" and "console" or nil,
    fdt = { node = "virtio_mmio", compatible = "virtio,mmio", ["dma-coherent"] = true },
  }
end

return {
  isa = "arm64",
  clock_hz = HZ,
  irqchip = "gic",
  memory = { { name = "ram", base = 0x40000000, size = m.ram } },
  devices = devices,
  fdt = {
    ["#address-cells"] = 2,
    ["#size-cells"] = 2,
    ["interrupt-parent"] = ref "gic",
    compatible = "linux,dummy-virt",
    model = "arm64-virtio,isomer",
    ["dma-coherent"] = true,
    chosen = { ["stdout-path"] = "/pl011@9000000" },
    cpus = cpus,
    psci = { compatible = { "arm,psci-1.0", "arm,psci-0.2", "arm,psci" }, method = "hvc" },
    timer = {
      compatible = { "arm,armv8-timer", "arm,armv7-timer" },
      ["always-on"] = true,
      interrupts = { PPI, SECURE, HIGH, PPI, PHYSICAL, HIGH, PPI, VIRTUAL, HIGH, PPI, HYP, HIGH },
    },
    ["apb-pclk"] = {
      label = "pclk", compatible = "fixed-clock", ["#clock-cells"] = 0, ["clock-frequency"] = 24000000,
      ["clock-output-names"] = "clk24mhz",
    },
    ["gpio-keys"] = {
      compatible = "gpio-keys",
      poweroff = { label = "poweroff_key", gpios = { ref "gpio", 3, 0 }, ["linux,code"] = 116 },
    },
    devices = true,
  },
}
