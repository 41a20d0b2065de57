"""What the panel asks others to do: child processes, installs, dialogs, the DICOM database, files."""
