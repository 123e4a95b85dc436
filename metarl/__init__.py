"""metarl: robot policies that adapt."""
