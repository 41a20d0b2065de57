"""Review measurements in a browser, on Slicer's own slice views (``midlineshift review``).

``cases`` finds what can be reviewed, ``readings`` keeps what each reader made of it, ``case_session`` holds one opened case
on MRML nodes, ``scene.offscreen_views`` draws it, ``server`` and ``case_socket`` connect it with the page in ``page/``.
"""
