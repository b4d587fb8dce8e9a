"""The programs of a course on TensorFlow and Keras, as NumPy functions that graphc compiles."""
