"""``midlineshift-train evaluate-denoiser``: may a model's pseudo-healthy image be shown?"""

from __future__ import annotations

from pathlib import Path

import click


@click.command("evaluate-denoiser")
@click.option("--model", help="Model name or folder, with denoisers; the default model if not given.")
@click.option("--phantoms", type=click.Path(path_type=Path), help="Folder of unseen phantoms, made with --twins.")
@click.option("--first", default=0, type=click.IntRange(min=0), help="Number of the first phantom to use.")
@click.option("--cases", default=12, show_default=True, type=click.IntRange(min=1), help="Phantoms to use.")
@click.option("--scans", type=click.Path(path_type=Path), help="Folder of scans that training never saw.")
@click.option("--shifted", multiple=True, metavar="CASE", help="Scan whose midline is shifted; may be repeated.")
@click.option("--unshifted", multiple=True, metavar="CASE", help="Scan whose midline is not shifted; may be repeated.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder for denoiser.json and denoiser.csv."
)
def evaluate_denoiser(model, phantoms, first, cases, scans, shifted, unshifted, threads, out):
    """Hold a model's pseudo-healthy image against what is known of heads that its denoisers never saw.

    Unshifted heads must come back, shifted phantoms must move toward their unshifted twins, little of the shift may be left,
    and two makings must agree. Writes the figures, every case as CSV, and accuracy.json for 'export --accuracy'. Look at
    pictures, too: no figure finds every invention. Research use only.
    """
    import torch

    from midlineshift_training.evaluation.run_denoiser_checks import DenoiserPlan, run_denoiser_checks, table
    from MidlineShiftLogic.models import load_model

    if threads:
        torch.set_num_threads(threads)
    plan = DenoiserPlan(phantoms, first, cases, scans, shifted, unshifted)
    result = run_denoiser_checks(load_model(model, "cpu"), plan, out)
    click.echo(f"{table(result)}\nWritten: {out}")
