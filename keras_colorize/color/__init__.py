"""Colour: conversion between sRGB and CIELAB, the gamut, quantized chroma, and the spaces that networks work in."""
