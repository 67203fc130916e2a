# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

RUN := tools/run
LAB := molecule/lab/lab.py
HOSTS ?= a
DISTRIBUTION ?= trixie
ROOTLESSKIT ?= 3.2.0
SCENARIOS ?= mutations hostile uninstall default users peer upgrade migration drift faults pesto leak defect health

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-down test test-quick lint units sanity docs-lint build scenarios faults interrupted bench-ports bench-site matrix matrix-sample lab-up lab-shell lab-down

help: ## What there is to make
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

setup: ## Install what is needed and missing (every other target does so too)
	@tools/bootstrap >/dev/null

demo: setup ## Boot a throw-away host, provision it over ssh, print the proof
	@$(RUN) tools/demo

demo-down: setup ## Remove the host of the demo
	@$(RUN) $(LAB) down --pool demo

test: ## Everything: what needs no host, then every scenario on real hosts
	@$(RUN) tools/test quick scenarios

test-quick: ## The inner loop: lint, units, sanity, docs, artifact; needs no host
	@$(RUN) tools/test quick

lint: ## ansible-lint, yamllint, ruff, shellcheck, licences, argument specs
	@$(RUN) tools/test lint

units: ## Unit tests of the pure parts; module_utils imported on every Python from 3.9 that is installed
	@$(RUN) tools/test units

sanity: ## ansible-test sanity
	@$(RUN) tools/test sanity

docs-lint: ## The documentation of modules, plugins and roles
	@$(RUN) tools/test docs

build: ## The artifact, in build/, installed elsewhere and tried
	@$(RUN) tools/test build

scenarios: ## Molecule scenarios, two side by side: SCENARIOS="default pesto"
	@SCENARIOS="$(SCENARIOS)" $(RUN) tools/test scenarios

drift: setup ## Break a host in every way of molecule/drift/drift.yml, and see each named and repaired as predicted (long)
	@LAB_DRIFT=--all $(RUN) molecule test -s drift

faults: setup ## Provoke every fault of docs/faults.md on a host (long)
	@FAULTS=whole $(RUN) molecule test -s faults

interrupted: setup ## Cut a run of site, upgrade and uninstall off after every single change, and let the next one complete it (long)
	@$(RUN) molecule/lab/interrupted.py site
	@$(RUN) molecule/lab/interrupted.py upgrade
	@$(RUN) molecule/lab/interrupted.py uninstall

matrix: setup ## What works with what, into docs/matrix.md: ONLY="engine=26.1.5 ipv6=on" for a slice, FRESH=yes (long)
	@$(RUN) molecule/lab/matrix.py $(if $(FRESH),--fresh) $(if $(ONLY),--only $(ONLY))

matrix-sample: setup ## A few combinations, compared with docs/matrix.md
	@$(RUN) molecule/lab/matrix.py --sample

bench-ports: setup ## Time the check beside loops over wait_for and uri; writes docs/bench-ports.md and .svg (long)
	@$(RUN) molecule/lab/bench_ports.py

bench-site: setup ## Time site on 1, 4 and 8 hosts, and count its round trips; writes docs/bench-site.md (long)
	@$(RUN) molecule/lab/bench_site.py

lab-up: setup ## Boot hosts: HOSTS="a b" DISTRIBUTION=trixie ROOTLESSKIT="3.2.0 2.3.6" IPV6=no; prints their inventory file
	@$(RUN) $(LAB) up --distribution $(DISTRIBUTION) $(ROOTLESSKIT:%=--rootlesskit %) $(if $(filter no,$(IPV6)),--no-ipv6) $(HOSTS)

lab-shell: ## A root shell on one: HOST=a
	@$(RUN) $(LAB) shell $(HOST)

lab-down: setup ## End them
	@$(RUN) $(LAB) down
