"""What the receiver offers to take, by object and by transfer syntax."""

from __future__ import annotations

CT_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.2",  # CT Image Storage
    "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT Image Storage
    "1.2.840.10008.5.1.4.1.1.2.2",  # Legacy Converted Enhanced CT Image Storage
)
PLAIN_SYNTAXES = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
COMPRESSED_SYNTAXES = (
    "1.2.840.10008.1.2.4.70",  # JPEG lossless, first-order prediction
    "1.2.840.10008.1.2.4.57",  # JPEG lossless
    "1.2.840.10008.1.2.4.80",  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 lossless
    "1.2.840.10008.1.2.5",  # RLE
    "1.2.840.10008.1.2.4.50",  # JPEG baseline
    "1.2.840.10008.1.2.4.51",  # JPEG extended
    "1.2.840.10008.1.2.4.81",  # JPEG-LS near-lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
)


def support(entity) -> None:
    """CT in every syntax that this machine decodes; other storage so that a whole study can be sent; C-ECHO."""
    from pydicom.pixels import get_decoder
    from pynetdicom import AllStoragePresentationContexts
    from pynetdicom.sop_class import Verification

    compressed = [syntax for syntax in COMPRESSED_SYNTAXES if get_decoder(syntax).is_available]
    entity.add_supported_context(Verification)
    for context in AllStoragePresentationContexts:
        more = compressed if context.abstract_syntax in CT_CLASSES else []
        entity.add_supported_context(context.abstract_syntax, [*PLAIN_SYNTAXES, *more])
