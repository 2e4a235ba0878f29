# Meson does the work; this file only remembers how it is called.
MESON = /usr/bin/meson
PREFIX ?= /usr/local

PROGRAMS = $(addprefix src/tools/millrace-,httpd echo load relay stat)
SDN_PROGRAMS = $(patsubst %.c,%,$(wildcard $(addprefix src/tools/millrace-,ofd.c of.c)))

.PHONY: all deps demo demo-proxy demo-sdn test tsan bench fuzz soak install clean doc help

all: build/build.ninja
	@ninja -C build

# A new room or test folder changes what there is to build.
FOLDERS := $(wildcard src/*/meson.build test/*/meson.build test/unit/*.c test/fuzz/*.c)
build/build.ninja: meson.build meson_options.txt src/rooms $(FOLDERS)
	@script/tree build --prefix=$(PREFIX)

deps:
	@script/install-deps

demo: deps
	@script/tree build --prefix=$(PREFIX)
	@ninja -C build --quiet $(PROGRAMS)
	@script/demo

demo-proxy: deps
	@$(MAKE) --no-print-directory all
	@script/demo-proxy

demo-sdn: deps
	@script/tree build --prefix=$(PREFIX)
	@ninja -C build --quiet $(SDN_PROGRAMS)
	@script/demo-sdn

test:
	@script/test

tsan: deps
	@script/tsan

bench: deps
	@$(MAKE) --no-print-directory all
	@script/bench

fuzz:
	@script/fuzz $(TARGET)

soak: deps
	@$(MAKE) --no-print-directory all
	@script/soak

install:
	@script/tree build --prefix=$(abspath $(PREFIX))
	@ninja -C build --quiet
	@$(MESON) install -C build --no-rebuild --quiet

doc help:
	@script/help

clean:
	@rm -rf build build-san build-tsan build-fuzz
