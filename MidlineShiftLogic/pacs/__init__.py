"""DICOM over the network: push and pull, and the listener that measures received series (docs/how-to/pacs.md).

Needs the extra ``pacs`` (pynetdicom, dicomweb-client), imported when a function is called; measuring needs none of it.
``measuring.Measurer`` hides how a series is measured from queue and network.
"""
