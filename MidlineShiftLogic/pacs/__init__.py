"""DICOM over the network: push and pull, and the listener that measures what it is sent (docs/pacs.md).

Needs the extra ``pacs`` (pynetdicom, dicomweb-client), imported when a function is called; measuring needs none of it.
How a series is measured is behind ``measurer.Measurer``; queue and network know nothing of it.
"""
