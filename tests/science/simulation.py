"""Differential equations, particles and automata, as scientists write them in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.science.cases import FLOATS, case


@case(lambda d, n: (d.array(n), 0.1), dtypes=("f4", "f8", "c16"), sizes=(2, 3, 64, 131))
def central_difference(u: Any, dx: Any) -> Any:
    du = np.empty_like(u)
    du[1:-1] = (u[2:] - u[:-2]) / (2 * dx)
    du[0] = (u[1] - u[0]) / dx
    du[-1] = (u[-1] - u[-2]) / dx
    return du


@case(lambda d, n: (d.array(n, n + 3), 0.1, 0.05, 3), static=("steps",), sizes=(3, 33))
def heat_equation(u: Any, alpha: float, dt: float, steps: int) -> Any:
    u = u.copy()
    for _ in range(steps):
        u[1:-1, 1:-1] += (alpha * dt) * (
            u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
        )
        u[0, :] = u[1, :]
        u[-1, :] = u[-2, :]
        u[:, 0] = u[:, 1]
        u[:, -1] = u[:, -2]
    return u


@case(lambda d, n: (d.array(n), d.array(n), 0.5), sizes=(4, 31, 64))
def wave_equation(u: Any, v: Any, c: float) -> tuple[Any, Any]:
    previous, now = u, u + 0.1 * v
    for _ in range(5):
        following = 2 * now - previous + c**2 * (np.roll(now, 1) - 2 * now + np.roll(now, -1))
        previous, now = now, following
    return now, np.sum(now**2)


@case(lambda d, n: (d.array(n), d.array(n)), sizes=(2, 17, 40))
def upwind_advection(u: Any, v: Any) -> Any:
    forward = np.roll(u, -1) - u
    backward = u - np.roll(u, 1)
    return u - 0.2 * v * np.where(v > 0, backward, forward)


@case(lambda d, n: (d.array(n, 3), d.array(n, 3), d.array(n, low=0.5)), sizes=(1, 2, 9, 20))
def n_body_step(position: Any, velocity: Any, mass: Any) -> tuple[Any, Any, Any]:
    dt, softening = 0.01, 0.1
    delta = position[None, :, :] - position[:, None, :]
    distance = np.sqrt((delta**2).sum(axis=-1) + softening**2)
    np.fill_diagonal(distance, 1.0)
    weight = mass[None, :] / distance**3
    np.fill_diagonal(weight, 0)
    acceleration = (weight[:, :, None] * delta).sum(axis=1)
    velocity = velocity + dt * acceleration
    position = position + dt * velocity
    kinetic = 0.5 * np.sum(mass * np.sum(velocity**2, axis=1))
    return position, velocity, kinetic


@case(lambda d, n: (d.array(n, 3, low=0, high=4), 4.0), sizes=(2, 7, 16), rtol=1e-9)
def lennard_jones(x: Any, box: float) -> tuple[Any, Any]:
    i, j = np.triu_indices(len(x), k=1)
    delta = x[i] - x[j]
    delta -= box * np.round(delta / box)
    r2 = np.maximum(np.sum(delta * delta, axis=1), 0.5)
    inverse = 1.0 / r2**3
    energy = 4 * np.sum(inverse * (inverse - 1))
    force = (24 * inverse * (2 * inverse - 1) / r2)[:, None] * delta
    total = np.zeros_like(x)
    np.add.at(total, i, force)
    np.add.at(total, j, -force)
    return energy, total


@case(lambda d, n: (d.array(n, 3),), sizes=(1, 3, 50))
def lorenz_runge_kutta(state: Any) -> Any:
    def derivative(s: Any) -> Any:
        x, y, z = s[..., 0], s[..., 1], s[..., 2]
        return np.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z], axis=-1)

    dt = 0.005
    path = [state]
    for _ in range(2):
        k1 = derivative(state)
        k2 = derivative(state + dt / 2 * k1)
        k3 = derivative(state + dt / 2 * k2)
        k4 = derivative(state + dt * k3)
        state = state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        path.append(state)
    return np.array(path)


@case(lambda d, n: (d.array(n, low=0, high=1),), sizes=(0, 1, 12))
def sir_epidemic(beta: Any) -> Any:
    s, i, r = np.full(beta.shape, 0.99), np.full(beta.shape, 0.01), np.zeros(beta.shape)
    history = np.zeros((10, *beta.shape))
    for day in range(10):
        new, healed = beta * s * i, 0.1 * i
        s, i, r = s - new, i + new - healed, r + healed
        history[day] = i
    return history, history.argmax(axis=0) if beta.size else history


@case(lambda d, n: (d.choice(n, n + 1),), dtypes=("?",), sizes=(2, 5, 18))
def game_of_life(alive: Any) -> Any:
    for _ in range(3):
        neighbours = sum(
            np.roll(alive, (dy, dx), axis=(0, 1)).astype(int)
            for dy in (-1, 0, 1)
            for dx in (-1, 0, 1)
            if (dy, dx) != (0, 0)
        )
        alive = (neighbours == 3) | (alive & (neighbours == 2))
    return alive, alive.sum()


@case(lambda d, n: (d.integers(2, n, dtype=d.dtype.str),), dtypes=("i4", "u1"), sizes=(1, 8, 33))
def rule_thirty(cells: Any) -> Any:
    table = np.array([(30 >> k) & 1 for k in range(8)], dtype=cells.dtype)
    rows = [cells]
    for _ in range(4):
        code = 4 * np.roll(cells, 1) + 2 * cells + np.roll(cells, -1)
        cells = table[code]
        rows.append(cells)
    return np.vstack(rows)


@case(lambda d, n: (d.choice(n, n), d.array(n, n, low=0, high=1)), sizes=(2, 6, 16))
def ising_checkerboard(up: Any, uniform: Any) -> Any:
    spin = np.where(up, 1, -1)
    rows, columns = np.indices(spin.shape)
    for parity in (0, 1):
        neighbours = (
            np.roll(spin, 1, 0) + np.roll(spin, -1, 0) + np.roll(spin, 1, 1) + np.roll(spin, -1, 1)
        )
        change = 2 * spin * neighbours
        accept = (uniform < np.exp(-0.4 * change)) & ((rows + columns) % 2 == parity)
        spin[accept] *= -1
    return spin, spin.mean()


@case(lambda d, n: (d.array(n, low=-2, high=1), d.array(n, low=-1, high=1)), sizes=(1, 7, 64))
def mandelbrot(x: Any, y: Any) -> Any:
    c = x + 1j * y
    z = np.zeros_like(c)
    count = np.zeros(c.shape, dtype=int)
    for _ in range(4):
        inside = np.abs(z) < 2
        z[inside] = z[inside] ** 2 + c[inside]
        count[inside] += 1
    return count


@case(lambda d, n: (d.array(n, 2), d.array(n, 2)), sizes=(1, 5, 30))
def bouncing_particles(position: Any, velocity: Any) -> tuple[Any, Any]:
    position, velocity = position.copy(), velocity.copy()
    for _ in range(3):
        position += 0.3 * velocity
        low, high = position < -1, position > 1
        velocity[low | high] *= -1
        position[low] = -2 - position[low]
        position[high] = 2 - position[high]
        fast = np.abs(velocity[:, 0]) > 1.5
        velocity[fast, 0] *= 0.5
        velocity[fast, 1] = 0
    return position, velocity


@case(lambda d, n: (d.array(n, n),), sizes=(3, 21))
def jacobi_iteration(f: Any) -> Any:
    u = np.zeros_like(f)
    for _ in range(3):
        u[1:-1, 1:-1] = 0.25 * (
            u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - f[1:-1, 1:-1]
        )
    return u, np.abs(u).max()


@case(lambda d, n: (d.array(n, n),), sizes=(4, 16))
def red_black_relaxation(f: Any) -> Any:
    u = np.zeros_like(f)
    for _ in range(1):
        for a, b in ((1, 1), (2, 2), (1, 2), (2, 1)):
            up, down = u[a - 1 : -2 : 2, b:-1:2], u[a + 1 :: 2, b:-1:2]
            left, right = u[a:-1:2, b - 1 : -2 : 2], u[a:-1:2, b + 1 :: 2]
            u[a:-1:2, b:-1:2] = 0.25 * (up + down + left + right - f[a:-1:2, b:-1:2])
    return u


@case(lambda d, n: (d.array(n, n), d.array(n, n)), sizes=(3, 17))
def divergence_and_curl(u: Any, v: Any) -> tuple[Any, Any]:
    ux, uy = np.gradient(u, 0.1)
    vx, vy = np.gradient(v, 0.1)
    return ux + vy, vx - uy


@case(lambda d, n: (d.array(n), d.array(n), 0.3), sizes=(1, 10))
def pendulum_verlet(angle: Any, speed: Any, dt: float) -> Any:
    energies = []
    for _ in range(4):
        half = speed - 0.5 * dt * np.sin(angle)
        angle = (angle + dt * half + np.pi) % (2 * np.pi) - np.pi
        speed = half - 0.5 * dt * np.sin(angle)
        energies.append((0.5 * speed**2 - np.cos(angle)).mean())
    return angle, speed, np.array(energies)


@case(lambda d, n: (d.array(n), d.array(n), d.integers(max(n, 1), 3 * n)), sizes=(1, 4, 30))
def particle_in_cell(grid: Any, field: Any, cell: Any) -> tuple[Any, Any]:
    charge = np.zeros_like(grid)
    np.add.at(charge, cell, 1.0)
    np.add.at(charge, (cell + 1) % len(grid), 0.5)
    np.subtract.at(charge, cell[::2], field[cell[::2]])
    potential = np.cumsum(np.cumsum(charge - charge.mean()))
    return charge, (field[cell] * potential[cell]).sum()


@case(lambda d, n: (d.array(n, 4), d.array(n, 3)), sizes=(1, 11), dtypes=FLOATS)
def rotate_by_quaternions(q: Any, v: Any) -> Any:
    q = q / np.linalg.norm(q, axis=1, keepdims=True)
    w, axis = q[:, :1], q[:, 1:]
    t = 2 * np.cross(axis, v)
    return v + w * t + np.cross(axis, t)
