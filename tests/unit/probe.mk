# A target beside those of the Makefile: tells what its recipes are started in (tests/unit/test_any_shell.py).
.PHONY: probe
probe:
	@$(call quoted,$(PYTHON)) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))'
	@$(VENVS)/stack/bin/python tests/unit/probe.py "$(LISTENING)"
