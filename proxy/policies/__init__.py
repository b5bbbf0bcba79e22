"""Floor 2, the policies: one module is one YAML section, one layer and one metric family."""
