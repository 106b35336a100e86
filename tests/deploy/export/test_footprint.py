"""What exported C needs of a device, cross-compiled for a Cortex-M4 and by the machine's own gcc."""

import shutil
import subprocess

import pytest

from npgrad.deploy.export import CORTEX_M4, export_c, measure
from npgrad.deploy.export.footprint import STRICT
from npgrad.errors import InvalidInput, MissingExtra
from tests.deploy.zoo import agent_of

HOST = ("gcc", ("-O2",))
START = """
int main(void);
void _start(void);
__attribute__((naked)) void _start(void) { __asm__("bl main\\n\\tmov r7, #1\\n\\tsvc 0"); }
"""  # exit(main()), of Linux
needs_arm = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="there is no arm-none-eabi-gcc")


@needs_arm
@pytest.mark.parametrize("precision", ["double", "float"])
def test_cortex_m4(precision, tmp_path):
    agent = agent_of("mixture of kinds")
    source, _ = export_c(agent, tmp_path, precision, learning=True)
    needs = measure(source)
    constants = agent.policy.n_params * (8 if precision == "double" else 4)
    assert constants < needs.flash < constants + 8192
    assert needs.ram == 0
    assert 0 < needs.stack["npg_act"] < needs.stack["npg_act_sampled"] < 1024


@needs_arm
@pytest.mark.skipif(shutil.which("qemu-arm") is None, reason="there is no qemu-arm")
@pytest.mark.parametrize("name", ["mixture of kinds", "masked", "state σ, tanh", "normalised softmax"])
def test_the_self_test_passes_on_arm(name, tmp_path):
    """Code for a Cortex-M4, all warnings errors, emulated."""
    source, _ = export_c(agent_of(name), tmp_path, "float", learning=True)
    (tmp_path / "start.c").write_text(START)

    def status():
        gcc = ["arm-none-eabi-gcc", *CORTEX_M4, "-DNPG_SELF_TEST"]
        subprocess.run([*gcc, *STRICT, "-O2", "-c", source, "-o", "npg.o"], cwd=tmp_path, check=True)
        subprocess.run([*gcc, "-nostartfiles", "start.c", "npg.o", "-lm", "-o", "a.out"], cwd=tmp_path, check=True)
        return subprocess.run(["qemu-arm", "-cpu", "cortex-a15", "./a.out"], cwd=tmp_path, check=False).returncode

    assert status() == 0
    source.write_text(source.read_text().replace("npg_golden_log_prob[8] = {", "npg_golden_log_prob[8] = {1 + "))
    assert status() != 0


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
def test_the_stack_is_that_of_the_deepest_chain(tmp_path):
    source = tmp_path / "a.c"
    source.write_text(
        "int leaf(int n);\nint other(int n);\nint top(int n);\n"
        "__attribute__((noinline)) int leaf(int n) { volatile char room[1000]; room[n] = 1; return room[n]; }\n"
        "__attribute__((noinline)) int other(int n) { volatile char room[10]; room[n] = 1; return room[n]; }\n"
        "int top(int n) { volatile char room[500]; room[n] = 1; return room[n] + leaf(n) + other(n); }\n"
    )
    needs = measure(source, *HOST)
    assert list(needs.stack) == ["top"]
    assert 1350 <= needs.stack["top"] < 1700  # the last 128 bytes may be the red zone
    assert "flash" in str(needs)
    assert "top" in str(needs)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
def test_what_does_not_compile(tmp_path):
    source, _ = export_c(agent_of("coins"), tmp_path)
    source.write_text(source.read_text() + "\nstatic int unused;\n")
    with pytest.raises(InvalidInput, match="unused"):
        measure(source, *HOST)


def test_no_compiler(tmp_path):
    with pytest.raises(MissingExtra, match="there is no never-gcc"):
        measure(tmp_path / "a.c", "never-gcc")
