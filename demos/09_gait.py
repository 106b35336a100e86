# %% [markdown]
# # A gait from twelve numbers
#
# How AIBO learned to trot: a walk is described by twelve numbers, and a policy gradient over them needs nothing but the
# measured speed. Kohl and Stone (2004) raised it from 150 to 291 mm/s in about a thousand trials. Here a four-legged
# robot in MuJoCo starts from a cautious walk; the gradient is estimated by finite differences.

# %%
import argparse

import matplotlib.pyplot as plt
import mujoco
import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter

from npgrad.estimators import FiniteDifferences
from npgrad.training.plots import COLOURS, INK, SOFT, STYLE

parser = argparse.ArgumentParser(description="A four-legged gait by finite differences over twelve numbers.")
parser.add_argument("--quick", action="store_true", help="few trials, no animation")
parser.add_argument("--out", default="09_gait.gif", help="the animation; the curve goes beside it as PNG")
args = parser.parse_known_args()[0]
n_iterations, seconds = (2, 2.0) if args.quick else (42, 6.0)

# %% [markdown]
# ## The robot
#
# A torso of 2 kg on four legs of two links, each 9 cm; hips and knees are servos that follow an angle.

# %%
LINK, DT, LEGS = 0.09, 0.004, ("front left", "front right", "rear left", "rear right")


def leg(name):
    x, y = 0.13 if "front" in name else -0.13, 0.07 if "left" in name else -0.07
    link = f'type="capsule" fromto="0 0 0 0 0 {-LINK}" size=".01"'
    return f"""
    <body name="{name}" pos="{x} {y} 0"> <joint name="{name} hip" axis="0 -1 0"/> <geom {link} mass=".1"/>
      <body name="{name} shin" pos="0 0 {-LINK}"> <joint name="{name} knee" axis="0 -1 0"/> <geom {link} mass=".05"/>
        <geom name="{name} foot" type="sphere" pos="0 0 {-LINK}" size=".016" mass=".03"/>
      </body>
    </body>"""


SERVOS = [f'<position joint="{name} {j}" kp="12" kv=".3" forcerange="-3 3"/>' for name in LEGS for j in ("hip", "knee")]
model = mujoco.MjModel.from_xml_string(f"""
<mujoco>
  <option timestep="{DT}"/>
  <default> <joint damping=".05" armature=".002"/> <geom friction="1 .01 .001"/> </default>
  <worldbody>
    <geom type="plane" size="50 50 1"/>
    <body name="torso" pos="0 0 .2">
      <freejoint/> <geom type="box" size=".16 .06 .03" mass="2"/> {"".join(map(leg, LEGS))}
    </body>
  </worldbody>
  <actuator> {"".join(SERVOS)} </actuator>
</mujoco>""")
FEET = [model.geom(f"{name} foot").id for name in LEGS]

# %% [markdown]
# ## The twelve numbers
#
# Each foot runs along half an ellipse: back along the ground, forwards through the air. Front and rear have a centre, a
# height of the hip, a length and a lift of their own; period, share on the ground, and two phases are common to all.

# %%
NAMES = ("front centre", "front height", "front length", "front lift", "rear centre", "rear height", "rear length",
         "rear lift", "period", "share on the ground", "phase left to right", "phase front to rear")  # fmt: skip
START = np.array([0.0, 0.150, 0.05, 0.02, 0.0, 0.150, 0.05, 0.02, 0.6, 0.65, 0.5, 0.45])
UNIT = np.array([0.01, 0.008, 0.01, 0.006, 0.01, 0.008, 0.01, 0.006, 0.05, 0.04, 0.05, 0.05])  # one knob's turn each
LOW = np.array([-0.05, 0.10, 0.01, 0.005, -0.05, 0.10, 0.01, 0.005, 0.25, 0.35, -1, -1])
HIGH = np.array([0.05, 0.172, 0.12, 0.05, 0.05, 0.172, 0.12, 0.05, 1.0, 0.85, 2, 2])


def angles(knobs, t):
    """Hip and knee angles of all legs at times t, (T, 8), by the two-link formula."""
    c = np.clip(START + UNIT * knobs, LOW, HIGH)
    out = []
    for name in LEGS:
        centre, height, length, lift = c[:4] if "front" in name else c[4:8]
        phase = (t / c[8] + c[10] * ("right" in name) + c[11] * ("rear" in name)) % 1.0
        on = c[9]
        swing = np.clip((phase - on) / (1 - on), 0.0, 1.0)
        x = centre + length * np.where(phase < on, 0.5 - phase / on, -0.5 * np.cos(np.pi * swing))  # foot, from the hip
        z = -height + lift * np.sin(np.pi * swing)
        far = np.minimum(np.hypot(x, z), 1.98 * LINK)
        knee = -2 * np.arccos(far / (2 * LINK))
        out += [np.arctan2(x, -z) - knee / 2, knee]
    return np.stack(out, axis=1)


def trial(knobs, noise, keep=False):
    """Speed forwards in mm/s, and the poses on the way; noise decides on the first push."""
    data = mujoco.MjData(model)
    rng = np.random.default_rng(noise)
    targets = angles(knobs, np.arange(int((seconds + 1.0) / DT)) * DT)
    data.qpos[2], data.qpos[7:] = 0.2, targets[0]
    data.qvel[:3] = rng.normal(size=3) * 0.05
    poses, begin = [], 0.0
    for k, target in enumerate(targets):
        data.ctrl[:] = target
        mujoco.mj_step(model, data)
        if k == int(1.0 / DT):  # the first second is for getting under way
            begin = data.qpos[0]
        if keep and k % 10 == 0:
            poses.append(np.concatenate([data.xpos[2:], data.geom_xpos[FEET]]))
    upright = data.xmat[1].reshape(3, 3)[2, 2] > 0.5
    return 1e3 * (data.qpos[0] - begin) / seconds * upright, np.array(poses)


# %% [markdown]
# ## Ascent
#
# Central differences of one turn of each knob, 24 trials an iteration, under the same push (common random numbers);
# then a step of fixed length along the gradient, as on the AIBO.

# %%
fd, knobs, speeds, gaits = FiniteDifferences(epsilon=1.0), np.zeros(12), [], {}
stages = {0: "before", n_iterations // 3: "during", n_iterations: "after"}
for k in range(n_iterations + 1):
    speeds.append(np.mean([trial(knobs, noise=10**6 + i)[0] for i in range(3)]))
    if k in stages:
        gaits[stages[k]] = knobs
    if k < n_iterations:
        g = fd(lambda x, noise, k=k: np.array([trial(x, noise=k)[0]]), knobs).gradient
        knobs = knobs + g / max(np.linalg.norm(g), 1e-9)
trials = 24 * np.arange(n_iterations + 1)
print(f"{speeds[0]:.0f} mm/s before, {speeds[-1]:.0f} after {trials[-1]} trials, {max(speeds):.0f} at best")
for name, a, b in zip(NAMES, START, np.clip(START + UNIT * knobs, LOW, HIGH), strict=True):
    print(f"  {name:22} {a:6.3f} → {b:6.3f}")

# %% [markdown]
# ## Before, during, after

# %%
with plt.rc_context(STYLE):
    figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
    axes.plot(trials, speeds, color=COLOURS[0])
    axes.set(xlabel="trials", ylabel="speed, mm/s")
    axes.set_title("A gait of twelve numbers, finite differences", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(args.out.removesuffix(".gif") + ".png", dpi=130)

if not args.quick:
    walks = {name: trial(x, noise=10**6, keep=True) for name, x in gaits.items()}
    with plt.rc_context(STYLE):
        figure, panels = plt.subplots(3, 1, figsize=(9, 3.6), layout="constrained")
        drawn = []
        for axes, (name, (speed, _)) in zip(panels, walks.items(), strict=True):
            axes.set(xlim=(-0.3, 4.2), ylim=(-0.02, 0.32), aspect="equal", yticks=[])
            axes.axhline(0, color=SOFT)
            axes.set_title(f"{name}: {speed:.0f} mm/s", loc="left")
            axes.spines[["top", "right", "left"]].set_visible(False)
            far = {"lw": 2.5, "solid_capstyle": "round"}
            drawn.append([axes.plot([], [], color=INK if i % 2 == 0 else SOFT, **far)[0] for i in range(4)])
            drawn[-1].append(axes.plot([], [], color=COLOURS[1], lw=9, solid_capstyle="round")[0])

        def show(k):
            for lines, (_, poses) in zip(drawn, walks.values(), strict=True):
                hips, knees, feet = poses[k][:8:2], poses[k][1:8:2], poses[k][8:]
                for i in range(4):
                    lines[i].set_data(*np.array([hips[i], knees[i], feet[i]])[:, [0, 2]].T)
                lines[4].set_data(*np.array([hips[:2].mean(axis=0), hips[2:].mean(axis=0)])[:, [0, 2]].T)
            return [line for lines in drawn for line in lines]

        movie = FuncAnimation(figure, show, frames=range(0, 90, 2), interval=80)
        movie.save(args.out, writer=PillowWriter(fps=12), dpi=70)
