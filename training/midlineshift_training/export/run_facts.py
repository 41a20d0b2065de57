"""What the folders of finished runs say of a model's training: size, data, steps, time, versions."""

from __future__ import annotations

from pathlib import Path


def best_step(run: Path) -> int:
    """Step of the check whose weights a run kept."""
    from safetensors import safe_open

    with safe_open(str(run / "best.safetensors"), "np") as weights:
        return int((weights.metadata() or {}).get("step", 0))


def earlier_runs(init: str | None) -> list[Path]:
    """Return runs whose weights a run started from, the latest first, as far back as their folders are found."""
    from midlineshift_training.trainers.settings.stored import load_run_settings

    runs = []
    while init:
        folder = Path(init) if Path(init).is_dir() else Path(init).parent
        if not (folder / "settings.yaml").exists():
            break
        runs.append(folder)
        init = load_run_settings(folder).init
    return runs


def run_minutes(run: Path) -> float:
    """Return minutes a run took, by the wall times of its TensorBoard events; every resumption has a file of its own."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    total = 0.0
    for path in sorted(run.glob("tensorboard/events.out.tfevents.*")):
        times = [event.wall_time for event in EventFileLoader(str(path)).Load()]
        total += max(times, default=0.0) - min(times, default=0.0)
    return total / 60


def run_facts(run: Path) -> dict:
    """Return size of a run's network, and what it was trained on, how and for how long, earlier runs included."""
    from midlineshift_training.trainers.run_folder.finished_run import load_run_network
    from midlineshift_training.trainers.settings.stored import load_run_settings

    settings = load_run_settings(run)
    averaged = settings.averaged
    # runs that were averaged often started from one another
    earlier = list(
        dict.fromkeys(folder for start in (*averaged[::-1], settings.init) for folder in earlier_runs(start))
    )
    return {
        "cases": settings.cases,
        "batch": settings.batch,
        "steps": best_step(run),
        "averaged": len(averaged),
        "earlier": [best_step(folder) for folder in earlier],
        "minutes": sum(map(run_minutes, [run, *earlier])),
        "seed": settings.seed,
        "learning_rate": settings.learning_rate,
        "precision": settings.precision,
        "parameters": sum(p.numel() for p in load_run_network(run).parameters()),
        "versions": next(filter(None, map(_versions, [run, *earlier])), {}),
    }


def _versions(run: Path) -> dict[str, str]:
    """Return the versions of Python, torch and Lightning at the last start; empty where the run did not record them."""
    from midlineshift_training.trainers.run_folder.provenance import read_provenance

    sessions = read_provenance(run).get("sessions", [])
    if not sessions:
        return {}
    packages = sessions[-1]["packages"]
    return {"python": sessions[-1]["python"], "torch": packages["torch"], "lightning": packages["lightning"]}
