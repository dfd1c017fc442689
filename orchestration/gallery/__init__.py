"""A gallery of volumes: which are shown, the page that shows them, and the server of the page with its 3D viewer."""
