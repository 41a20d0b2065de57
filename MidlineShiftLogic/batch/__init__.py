"""Measure many cases: work list, unchanged cases left alone, result folders, ``results.csv``.

Both ``midlineshift measure`` and ``midlineshift-train measure`` are options and one call of ``measure_batch``.
"""
